"""The control: nothing of the decoder is trained, the connector alone learns (as it does with every method).

Source: Merullo et al. 2023, Linearly Mapping from Image to Text Space (a frozen language model reads projected features).
Trained parameters: 0 of the decoder's.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from vltune.methods.interface import LogUniform, Settings
from vltune.model.decoder import Decoder, DecoderConfig


class Config(Settings):
    """Section `connector`: nothing but the learning rates (the method's own has nothing to act on); the connector alone bears a
    higher one than beside a changing decoder."""

    projector_learning_rate: Annotated[float, Field(ge=0), LogUniform(0.00075, 0.012)]


def count(config: DecoderConfig, settings: Config) -> int:  # noqa: ARG001 - the interface
    """Count what is trained of the decoder."""
    return 0


def attach(decoder: Decoder, settings: Config, generator: torch.Generator) -> list[str]:  # noqa: ARG001 - the interface
    """Name nothing."""
    return []
