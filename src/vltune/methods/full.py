"""Full fine-tuning: every parameter of the decoder is trained. The reference that the others are measured against.

Source: Howard and Ruder 2018 for the practice.
Trained parameters: all of the decoder's.
"""

from __future__ import annotations

import torch

from vltune.methods.interface import Settings
from vltune.model.decoder import Decoder


class Config(Settings):
    """Section `full`: nothing but the learning rates."""


def attach(decoder: Decoder, settings: Config, generator: torch.Generator) -> list[str]:  # noqa: ARG001 - the interface
    """Name every parameter."""
    return [name for name, _ in decoder.named_parameters()]
