"""Tensors in a file as Hugging Face's packages read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from vltune.files import whole


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write safetensors whole, sorted by name."""
    with whole(path) as part:
        save_file({name: tensors[name].cpu().contiguous() for name in sorted(tensors)}, part, {"format": "pt"})
