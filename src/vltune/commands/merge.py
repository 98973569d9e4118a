"""vltune merge: a run's decoder as a plain one, in Hugging Face's form."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vltune.commands import output
from vltune.commands.weights import write as write_tensors
from vltune.data.batch import Text, collate
from vltune.errors import InputError
from vltune.files import read_json, sha256, write_json, write_text
from vltune.folders import replaced
from vltune.layout import DECODER
from vltune.methods import interface
from vltune.model.captioner import Captioner
from vltune.model.loading import to_hugging_face
from vltune.randomness import derive
from vltune.training.using import Base, described, find

ROWS, WORDS = 8, 24  # of the random input on which merged and unmerged are compared


def main(out: Path, method: str, task: str, seed: int, root: Path) -> None:
    """Write a folder that transformers loads, with the connector beside it; say how far the logits are from the unmerged ones.

    Raises:
        InputError: the method can't be merged, or the input is wrong.
    """
    output.check_folder(out)
    folder = find(root, method, task, seed)
    base = Base(root, "float32")
    captioner = base.captioner(method, task, seed)
    before = logits(captioner)
    merge(captioner, base, folder)
    difference = (logits(captioner) - before).abs().max().item()
    write(captioner, root / DECODER, out)
    output.emit({"method": method, "task": task, "seed": seed, "folder": str(out), "precision": "float32",
                 "largest_logit_difference": difference, "largest_logit": before.abs().max().item()}, None)


def merge(captioner: Captioner, base: Base, folder: Path) -> None:
    """Turn a captioner's decoder into a plain one that computes the same.

    Raises:
        InputError: the method trains nothing of the decoder, or adds what no weight of it can take up.
    """
    description = described(folder)
    if not description["trained_parameters"]:
        raise InputError(f"{folder}: nothing of the decoder was trained, so there is nothing to merge: it is {base.root / DECODER}")
    merging = getattr(interface.module(description["attach"]), "merge", None)
    if merging is not None:
        merging(captioner.decoder)
    plain = base.decoder.state_dict()
    added = [name for name in captioner.decoder.state_dict() if name not in plain]
    if added:
        raise InputError(f"{folder}: {description['attach']} cannot be merged: it adds tensors that no weight of the decoder can take "
                         f"up, the first is {added[0]}")


@torch.inference_mode()
def logits(captioner: Captioner) -> Tensor:
    """Score random texts after random images: [rows * words, vocabulary]."""
    chance = torch.Generator().manual_seed(derive(0, "merged against unmerged"))
    connector = captioner.connector
    features = torch.randn(ROWS, connector.features, connector.norm.weight.shape[0], generator=chance)
    words = torch.randint(captioner.decoder.shape.vocabulary, (ROWS, WORDS), generator=chance)
    device = captioner.decoder.embedding.weight.device
    batch = collate([[Text((), row)] for row in words.tolist()], connector.tokens).to(device)
    return captioner(features.to(device), batch.tokens, batch.positions, batch.mask, batch.sources)


def write(captioner: Captioner, decoder_folder: Path, out: Path) -> None:
    """Write model.safetensors, config.json and the tokenizer as transformers reads them, and connector.safetensors."""
    with replaced(out) as part:
        weights = part / "model.safetensors"
        write_tensors(weights, to_hugging_face(captioner.decoder.state_dict()))
        write_tensors(part / "connector.safetensors", captioner.connector.state_dict())
        settings = read_json(decoder_folder / "config.json")
        write_json(part / "config.json", settings | {"dtype": "float32", "weights_sha256": sha256(weights)})
        write_text(part / "tokenizer.json", (decoder_folder / "tokenizer.json").read_text(encoding="utf-8"))
        write_json(part / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
