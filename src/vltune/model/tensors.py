"""Weights in files: safetensors, or PyTorch's own format without running code."""

from __future__ import annotations

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
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as weights, is the file whole? ({str(error).splitlines()[0]})"
        ) from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write safetensors whole, sorted by name."""
    with whole(path) as part:
        save_file(
            {name: tensors[name].cpu().contiguous() for name in sorted(tensors)}, part, {"format": "pt"}
        )
