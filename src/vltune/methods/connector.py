"""The control: nothing of the decoder is trained, the connector alone learns (as it does with every method).

Source: Merullo et al. 2023, Linearly Mapping from Image to Text Space (a frozen language model reads
projected features). Trained parameters: 0 of the decoder's.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from vltune.methods.interface import Method, replace
from vltune.model.decoder import Decoder, DecoderConfig


class TokenDropout(nn.Dropout):
    """Dropout of the image tokens, at the prompt site; it puts nothing in front of them."""

    length = 0


class Connector(Method):
    """Section `connector`: learning rates (the method's own has nothing to act on), and dropout of the image
    tokens, as of the embeddings in Vaswani et al. 2017, section 5.4."""

    RANDOM: ClassVar = False
    OWN_DROPOUT: ClassVar = True

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:  # noqa: ARG002 - the interface
        """Attach nothing but the dropout, train nothing."""
        if self.dropout:
            replace(decoder, "prompt", TokenDropout(self.dropout))
        return []

    def count(self, config: DecoderConfig) -> int:  # noqa: ARG002 - the interface
        """Count what is trained of the decoder: nothing."""
        return 0
