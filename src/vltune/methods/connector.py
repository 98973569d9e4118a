"""The control: nothing of the decoder is trained, the connector alone learns (as it does with every method).

Source: Merullo et al. 2023, Linearly Mapping from Image to Text Space (a frozen language model reads projected features).
Trained parameters: 0 of the decoder's.
"""

from __future__ import annotations

import torch

from vltune.methods.interface import Settings
from vltune.model.decoder import Decoder, Shape


class Config(Settings):
    """Section `connector`: nothing but the learning rates (the method's own has nothing to act on)."""


def count(shape: Shape, settings: Config) -> int:  # noqa: ARG001 - the interface
    """Count what is trained of the decoder."""
    return 0


def attach(decoder: Decoder, settings: Config, generator: torch.Generator) -> list[str]:  # noqa: ARG001 - the interface
    """Name nothing."""
    return []
