"""The start of the projector, from which all methods train: in closed form, or at random.

With a random projector the decoder first learns the form of captions and ignores the image for hundreds of
steps. With the closed form, which costs seconds, training starts from an informative visual prefix.
"""

from __future__ import annotations

from typing import Literal

import torch

from vltune.data.chat import chat_template
from vltune.data.examples import start_source, start_texts
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.cross_attention import Fusion
from vltune.model.linear_projector import LinearProjector
from vltune.model.precision import deterministic
from vltune.model.projector import Kind
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.files import fingerprint
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES, START
from vltune.pipeline.paths import checkpoint as checkpoint_folder
from vltune.pipeline.randomness import derive
from vltune.training import start_linear, start_words
from vltune.training.ridge import Align
from vltune.training.sample import normalised, spread
from vltune.training.vocabulary import Words, tf_idf, word_embeddings

BARE = "connector"  # the method that attaches nothing: the checkpoint is loaded as one of this method


class ProjectorSettings(Section):
    """Section `projector`: what maps features to image tokens, how it starts, and how images reach the
    decoder.

    kind: `words`, mixtures of words with position offsets and tags; `linear`, a linear map; `mlp`, two linear
    layers. start: `ridge`, fitted in closed form to the words of the training texts, or `random`. fusion:
    `tokens` in front of the text, or gated cross-attention (`cross`). prompt: `chat` puts image and question
    into the chat form of the decoder, `none` nothing around them.
    """

    kind: Kind
    start: Literal["ridge", "random"]
    fusion: Fusion
    prompt: Literal["none", "chat"]


def write_start(task: str, settings: Align, projector: ProjectorSettings) -> None:
    """Make the start of the projector, and write it as a checkpoint without trained decoder parameters.

    Raises:
        InputError: there are no texts to align with, too few different words in them, or no chat form.
    """
    deterministic()
    template = chat_template(Tokenizer(DECODER), task) if projector.prompt == "chat" else None
    features = Features(FEATURES, "train")
    needs_words = projector.kind == "words" or projector.start == "ridge"
    words = tf_idf(start_texts(task), settings.words) if needs_words else Words([], [], [])
    sizes = (features.tokens, features.width, len(words.vocabulary), settings.tags)
    extras = features.tokens - features.cells
    vlm = checkpoint.build(DECODER, *sizes, torch.float32, extras, projector.kind, projector.fusion)
    fill(vlm, features, words, settings, projector.start)
    if vlm.cross is not None:
        generator = torch.Generator().manual_seed(derive(0, "cross-attention"))
        vlm.cross.initialise(vlm.decoder.embedding.weight[Tokenizer(DECODER).end], generator)
    checkpoint.write(checkpoint_folder(START, task, 0), checkpoint.tensors_of(vlm, []), {
        "method": START, "attach": BARE, "task": task, "seed": 0, "step": 0,
        "settings": {"learning_rate": 0.0, "projector_learning_rate": 0.0},
        "params": fingerprint([settings.model_dump(), projector.model_dump()]),
        "base": checkpoint.base_of(DECODER, features.signature),
        "trained_parameters": 0, "trained_share": 0.0,
        "projector_parameters": sum(p.numel() for p in vlm.projector.parameters()),
        "projector": projector.model_dump() | {"texts": start_source(task) if needs_words else None},
        "template": template,
    })


def fill(vlm: VisionLanguageModel, features: Features, words: Words, settings: Align, how: str) -> None:
    """Give a model's empty projector its start, `how` being ridge or random."""
    generator = torch.Generator().manual_seed(derive(0, "start of the projector"))
    embeddings = torch.empty(0)
    if words.vocabulary:
        embeddings = word_embeddings(words, Tokenizer(DECODER), vlm.decoder)
    projector = vlm.projector
    if how == "ridge" and isinstance(projector, LinearProjector):
        start_linear.start(projector, features, words, embeddings, settings, generator)
    elif how == "ridge":
        start_words.start(projector, features, words, embeddings, settings)
    else:
        rows = spread(features.ids, features, settings.max_images)
        x = normalised(features, [features.ids[i] for i in rows], projector.cells)
        if isinstance(projector, LinearProjector):
            table = vlm.decoder.embedding.weight.detach().float()
            start_linear.draw(projector, x, table, settings, generator)
        else:
            start_words.draw(projector, x, embeddings, settings, generator)
