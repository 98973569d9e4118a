"""Full fine-tuning: every parameter of the decoder is
trained. The reference that the others are measured against.

Source: Howard and Ruder 2018 for the practice.
Trained parameters: all of the decoder's.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from vltune.methods.interface import LogUniform, Method, Rates
from vltune.model.decoder import Decoder, DecoderConfig


class Full(Method):
    """Section `full`: what every method has, nothing of its own."""

    learning_rate: Annotated[Rates, LogUniform(1e-5, 1e-3)]

    RANDOM: ClassVar = False

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:  # noqa: ARG002 - the interface
        """Attach nothing, train every parameter."""
        return [name for name, _ in decoder.named_parameters()]

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained: all parameters of the decoder."""
        return config.parameters
