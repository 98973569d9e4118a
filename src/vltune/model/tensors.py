"""Weights from files: safetensors, or PyTorch's own format without running code."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vltune.errors import InputError


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
        raise InputError(f"{path}: cannot be read as weights, is the file whole? ({str(error).splitlines()[0]})") from None
