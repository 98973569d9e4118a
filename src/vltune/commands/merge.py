"""vltune merge: a run's decoder as a plain one, in Hugging Face's form."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vltune.commands import output
from vltune.commands.inference import Base, described, find
from vltune.data.batch import Text, collate
from vltune.methods import checkpoint
from vltune.model.loading import family_of
from vltune.model.tensors import write_tensors
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, replaced, sha256, write_json, write_text
from vltune.pipeline.paths import DECODER
from vltune.pipeline.randomness import derive

ROWS, WORDS = 8, 24  # of the random input on which merged and unmerged are compared


def main(out: Path, method: str, task: str, seed: int, root: Path) -> None:
    """Write a folder that transformers loads, with the projector
    beside it; say how far the logits are from the unmerged ones.

    Raises:
        InputError: the method can't be merged, or the input is wrong.
    """
    output.check_folder(out)
    folder = find(root, method, task, seed)
    base = Base(root, "float32")
    vlm = base.vlm(method, task, seed)
    before = logits(vlm)
    merge(vlm, base, folder)
    difference = (logits(vlm) - before).abs().max().item()
    write(vlm, root / DECODER, out)
    output.emit({"method": method, "task": task, "seed": seed, "folder": str(out), "precision": "float32",
                 "largest_logit_difference": difference, "largest_logit": before.abs().max().item()}, None)


def merge(vlm: VisionLanguageModel, base: Base, folder: Path) -> None:
    """Turn a model's decoder into a plain one that computes the same.

    Raises:
        InputError: the method trains nothing of the decoder, or adds what no weight of it can take up.
    """
    description = described(folder)
    if vlm.cross is not None:
        raise InputError(f"{folder}: has cross-attention (projector.fusion), which no plain decoder computes")
    if not description["trained_parameters"]:
        raise InputError(
            f"{folder}: nothing of the decoder was trained, so there is nothing to merge: it is "
            f"{base.root / DECODER}"
        )
    checkpoint.settings_in(description, folder).merge(vlm.decoder)
    plain = base.decoder.state_dict()
    added = [name for name in vlm.decoder.state_dict() if name not in plain]
    if added:
        raise InputError(
            f"{folder}: {description['attach']} cannot be merged: it adds tensors that no weight of the "
            f"decoder can take "
            f"up, the first is {added[0]}"
        )


@torch.inference_mode()
def logits(vlm: VisionLanguageModel) -> Tensor:
    """Score random texts after random images: [rows * words, vocabulary]."""
    rng = torch.Generator().manual_seed(derive(0, "merged against unmerged"))
    projector = vlm.projector
    features = torch.randn(ROWS, projector.features, projector.feature_width, generator=rng)
    words = torch.randint(vlm.decoder.config.vocabulary, (ROWS, WORDS), generator=rng)
    device = vlm.decoder.embedding.weight.device
    batch = collate([[Text((), row)] for row in words.tolist()], vlm.image_tokens).to(device)
    return vlm(features.to(device), batch.tokens, batch.positions, batch.mask, batch.sources)


def write(vlm: VisionLanguageModel, decoder_folder: Path, out: Path) -> None:
    """Write model.safetensors, config.json and the tokenizer as transformers reads them, and
    projector.safetensors."""
    with replaced(out) as part:
        weights = part / "model.safetensors"
        write_tensors(
            weights, family_of(decoder_folder / "config.json").to_hugging_face(vlm.decoder.state_dict())
        )
        write_tensors(part / "projector.safetensors", vlm.projector.state_dict())
        settings = read_json(decoder_folder / "config.json")
        write_json(part / "config.json", settings | {"dtype": "float32", "weights_sha256": sha256(weights)})
        write_text(part / "tokenizer.json", (decoder_folder / "tokenizer.json").read_text(encoding="utf-8"))
        write_json(part / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
