"""The checkpoint that every training starts from: the connector aligned in closed form, nothing trained."""

from __future__ import annotations

import torch

from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.data.words import weigh
from vltune.files import fingerprint
from vltune.layout import DECODER, FEATURES, RAW, START
from vltune.layout import checkpoint as checkpoint_folder
from vltune.model.precision import deterministic
from vltune.records import read_captions
from vltune.sections import Align
from vltune.training import align, checkpoint

BARE = "connector"  # the method that attaches nothing, for loading


def write_start(task: str, settings: Align) -> None:
    """Align the connector in closed form, and write it as a checkpoint that has trained nothing."""
    deterministic()
    features = Features(FEATURES, "train")
    words = weigh(read_captions(RAW / "captions_train.json"), settings.words)
    captioner = checkpoint.build(DECODER, features.tokens, features.width, len(words.vocabulary), settings.tags, torch.float32)
    embeddings = align.word_embeddings(words, Tokenizer(DECODER), captioner.decoder)
    align.start(captioner.connector, features, words, embeddings, settings)
    checkpoint.write(checkpoint_folder(START, task, 0), checkpoint.tensors_of(captioner, []), {
        "method": START, "attach": BARE, "task": task, "seed": 0, "step": 0,
        "settings": {"learning_rate": 0.0, "connector_learning_rate": 0.0},
        "params": fingerprint(settings.model_dump()), "base": checkpoint.base_of(DECODER, features.signature),
        "trained_parameters": 0, "trained_share": 0.0,
        "connector_parameters": sum(p.numel() for p in captioner.connector.parameters()),
    })
