"""Which device and which number format to compute in."""

from __future__ import annotations

import os

import torch

from vltune.pipeline.errors import InputError

CHOICES = ("auto", "bf16", "float32")


def choose_device() -> torch.device:
    """Take the GPU of this process (the first, unless several processes share the work), or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """Name the GPU, or say cpu."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Turn the parameter `precision` into a number format; auto is bf16 where the machine computes in it.

    Raises:
        InputError: the word is none of auto, bf16, float32.
    """
    if precision not in CHOICES:
        raise InputError(f"precision {precision!r}: choose one of {', '.join(CHOICES)}")
    if precision == "auto":
        fast = (
            torch.cuda.is_bf16_supported(including_emulation=False)
            if device.type == "cuda"
            else _cpu_has_bf16()
        )
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _cpu_has_bf16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def deterministic() -> None:
    """Ask torch for the same bits every time; an operation
    that cannot give them raises instead of varying."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # use_deterministic_algorithms would import torch's compiler for it: two seconds
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it has not written
