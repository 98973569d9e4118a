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
from vltune.pipeline.files import whole


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
    except (SafetensorError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path}: cannot be read as weights, is the file whole? ({str(error).splitlines()[0]})"
        ) from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise InputError(f"{path}: expected tensors by their names, found {type(tensors).__name__}")
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write safetensors whole, sorted by name."""
    with whole(path) as part:
        save_file(
            {name: tensors[name].cpu().contiguous() for name in sorted(tensors)}, part, {"format": "pt"}
        )
