"""Weights in files: safetensors, or PyTorch's own format without running code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, whole

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors, or a `.bin` of PyTorch (weights only, no code is run).

    Raises:
        InputError: the file is missing, cut or of another format.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except pickle.UnpicklingError:  # torch's own message proposes to run what is in the file
        raise InputError(
            f"{path}: cannot be read as weights: it is damaged, or holds something else than tensors, which "
            f"is not loaded, as it may be code"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise InputError(f"{path}: cannot be read as weights, is the file whole? ({reason})") from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise InputError(f"{path}: expected tensors by their names, found {type(tensors).__name__}")
    return tensors


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of a folder in Hugging Face's layout: model.safetensors, or its shards by their index.

    Raises:
        InputError: there is neither, or a file or a tensor of the index is missing; names it.
    """
    single, index = folder / WEIGHTS, folder / INDEX
    if single.is_file() or not index.is_file():
        return read_tensors(single)
    content = read_json(index)
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict) or not all(Path(str(name)).name == name for name in shards.values()):
        raise InputError(f"{index}: expected an object 'weight_map' with the file name of each tensor")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(shards.values())):
        tensors |= read_tensors(folder / name)
    missing = sorted(set(shards) - set(tensors))
    if missing:
        raise InputError(f"{index}: tensor {missing[0]} is not in {shards[missing[0]]}")
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write safetensors whole, sorted by name."""
    with whole(path) as part:
        save_file(
            {name: tensors[name].cpu().contiguous() for name in sorted(tensors)}, part, {"format": "pt"}
        )
