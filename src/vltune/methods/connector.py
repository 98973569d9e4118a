"""The control: nothing of the decoder is trained, the connector alone learns (as it does with every method).

Source: Merullo et al. 2023, Linearly Mapping from Image to Text Space (a frozen language model reads
projected features). Trained parameters: 0 of the decoder's.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from vltune.methods.interface import Method
from vltune.model.decoder import Decoder, DecoderConfig


class Connector(Method):
    """Section `connector`: only learning rates (the method's own has nothing to act on)."""

    RANDOM: ClassVar = False

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:  # noqa: ARG002 - the interface
        """Attach nothing, train nothing."""
        return []

    def count(self, config: DecoderConfig) -> int:  # noqa: ARG002 - the interface
        """Count what is trained of the decoder: nothing."""
        return 0
