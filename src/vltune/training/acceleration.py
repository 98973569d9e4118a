"""How the decoder is computed in a training, which changes speed and memory alone."""

from __future__ import annotations

import shutil

import torch

from vltune.model.decoder import Decoder

COMPILED_STEPS = 1000  # compiling takes about a minute, which a shorter training does not earn back


def accelerate(
    decoder: Decoder, compiled: str, activation_checkpointing: bool, steps: int, device: torch.device
) -> None:
    """Compile the decoder's blocks, and compute them again in the backward pass instead of keeping what they
    computed.

    All blocks run the same compiled code, for rows of any length. `auto` compiles a training of at least
    COMPILED_STEPS steps on a GPU, where there is a C compiler, which torch needs for it.

    Args: compiled, auto, on or off.

    Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, for computing again.
    """
    decoder.activation_checkpointing = activation_checkpointing
    if compiled == "on" or (compiled == "auto" and _pays(steps, device)):
        for block in decoder.blocks:
            block.compile(dynamic=True)


def _pays(steps: int, device: torch.device) -> bool:
    compiler = shutil.which("cc") or shutil.which("gcc")
    return device.type == "cuda" and steps >= COMPILED_STEPS and compiler is not None
