"""What a training leaves: exactly the trained tensors
(safetensors), and a description of what they belong to.

A checkpoint folder holds model.safetensors (`projector.*` and `decoder.*`) and checkpoint.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from vltune.methods import interface
from vltune.methods.interface import Method
from vltune.model.cross_attention import CrossAttention, Fusion
from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.loading import compare, load_decoder, share
from vltune.model.projector import Kind, empty, fitting
from vltune.model.projector_interface import Projector
from vltune.model.tensors import read_tensors
from vltune.model.vision_language import Template, VisionLanguageModel
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, whole, write_json
from vltune.pipeline.params import check


def tensors_of(vlm: VisionLanguageModel, names: list[str]) -> dict[str, Tensor]:
    """Take the trained tensors of a model by their names in a checkpoint file, detached, on the CPU."""
    tensors = {
        f"decoder.{name}": tensor for name, tensor in interface.trained_parameters(vlm.decoder, names).items()
    }
    tensors |= {f"projector.{name}": tensor for name, tensor in vlm.projector.named_parameters()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def put(vlm: VisionLanguageModel, names: list[str], tensors: dict[str, Tensor], source: Path) -> None:
    """Put the tensors of a checkpoint in the place of a
    model's; nothing is written into those that were there.

    Raises:
        InputError: a tensor is missing, left over or of another shape; names the first.
    """
    compare(tensors_of(vlm, names), tensors, source)
    parameters = dict(vlm.named_parameters())
    for name, tensor in tensors.items():
        # A copy in memory of its own: a tensor that safetensors maps begins where the lengths of the names in
        # the file put it, and the last bit of a float32 product can depend on where its factors begin.
        parameters[name].data = tensor.to(parameters[name].dtype, copy=True)


def write(folder: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write a checkpoint: the tensors first, then the description with the size of their file."""
    path = folder / "model.safetensors"
    with whole(path) as part:
        save_file(dict(sorted(tensors.items())), part)
    write_json(folder / "checkpoint.json", description | {"checkpoint_bytes": path.stat().st_size})


def base_of(decoder_folder: Path, signature: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint stands on: the decoder's weights and the signature of the image features."""
    return {"decoder": read_json(decoder_folder / "config.json")["weights_sha256"], "features": signature}


def settings_in(description: dict[str, Any], folder: Path) -> Method:
    """Read the method of a checkpoint with its settings, from the checkpoint's description."""
    name = description["attach"]
    settings = {"dropout": 0.0} | description["settings"]  # those of earlier versions may lack it
    return check(interface.method(name), name, settings, folder / "checkpoint.json")


def part_of(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    """Take the tensors of a `part`, decoder or projector, under the names that they have in it."""
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)
    }


def build(
    decoder_folder: Path, features: int, width: int, words: int, tags: int, dtype: torch.dtype,
    extras: int = 0, projector: Kind = "words", fusion: Fusion = "tokens",
) -> VisionLanguageModel:
    """Build a model with the pretrained decoder, in `dtype`, and an empty `projector` of that kind for k
    `features` of `width`, of which the last `extras` are no cells of the grid; `words` and `tags` are sizes
    of the kind `words` alone. With the fusion `cross`, gated cross-attention is a part of the projector."""
    decoder = load_decoder(decoder_folder).to(dtype)
    made = empty(projector, width, words, decoder.config.width, features, tags, extras)
    if fusion == "cross":
        made.cross = CrossAttention(decoder.config, made.tokens)
    return VisionLanguageModel(made, decoder, dtype)


def load(folder: Path, decoder_folder: Path, base: dict[str, Any], dtype: torch.dtype) -> VisionLanguageModel:
    """Load a checkpoint with its base, in `dtype`; raises InputError as `onto` does."""
    return onto(load_decoder(decoder_folder).to(dtype), folder, base, dtype)


def onto(decoder: Decoder, folder: Path, base: dict[str, Any], dtype: torch.dtype) -> VisionLanguageModel:
    """Put a checkpoint onto a decoder that is in memory, in
    `dtype`: its tensors are shared and stay as they are.

    Raises:
        InputError: the checkpoint was made for another base (says
            in what they differ), or its tensors do not fit.
    """
    vlm, description, tensors = _opened(share(decoder), folder, base, dtype)
    settings = settings_in(description, folder)
    names = settings.fold(vlm.decoder, interface.attach(vlm.decoder, settings, torch.Generator()))
    put(vlm, names, tensors, folder / "model.safetensors")
    vlm.decoder.to(dtype)  # once, not at every use: trained tensors are kept in float32
    return vlm.eval()


def begin(
    folder: Path, decoder_folder: Path, base: dict[str, Any], dtype: torch.dtype
) -> VisionLanguageModel:
    """Build the model that a training begins with: the decoder
    as it is, and the projector of the start checkpoint.

    Raises:
        InputError: the start was made for another base, or does not fit.
    """
    vlm, _, tensors = _opened(load_decoder(decoder_folder).to(dtype), folder, base, dtype)
    put(vlm, [], tensors, folder / "model.safetensors")
    return vlm


def _opened(
    decoder: Decoder, folder: Path, base: dict[str, Any], dtype: torch.dtype
) -> tuple[VisionLanguageModel, dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint's description and tensors, and join the decoder with an empty projector for them."""
    description = read_json(folder / "checkpoint.json")
    if description["base"] != base:
        raise InputError(
            f"{folder}: made for another base: {difference(description['base'], base)}; make it again with "
            f"`dvc repro`"
        )
    tensors = read_tensors(folder / "model.safetensors")
    projector = projector_for(base, part_of(tensors, "projector"), decoder.config)
    template = Template(**description.get("template") or {})
    return VisionLanguageModel(projector, decoder, dtype, template), description, tensors


def projector_for(base: dict[str, Any], tensors: dict[str, Tensor], config: DecoderConfig) -> Projector:
    """Build the empty projector that a projector's tensors belong to, as `fitting` does, on a base and for a
    decoder of these sizes; with cross-attention, if they have some."""
    features = base["features"]["tokens"]
    extras = features - base["features"].get("cells", features)
    projector = fitting(tensors, base["features"]["width"], config.width, features, extras)
    if any(name.startswith("cross.") for name in tensors):
        projector.cross = CrossAttention(config, projector.tokens)
    return projector


def difference(first: dict[str, Any], second: dict[str, Any], where: str = "") -> str:
    """Say the first key in which two descriptions differ, with both values."""
    for key in [*first, *(key for key in second if key not in first)]:
        left, right = first.get(key), second.get(key)
        if isinstance(left, dict) and isinstance(right, dict) and left != right:
            return difference(left, right, f"{where}{key}.")
        if left != right:
            return f"{where}{key} was {left!r}, here it is {right!r}"
    return "nothing"
