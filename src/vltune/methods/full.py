"""Full fine-tuning: every parameter of the decoder is trained. The reference that the others are measured against.

Source: Howard and Ruder 2018 for the practice.
Trained parameters: all of the decoder's.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from vltune.methods.interface import LogUniform, Settings
from vltune.model.decoder import Decoder, DecoderConfig


class Config(Settings):
    """Section `full`: nothing but the learning rates."""

    learning_rate: Annotated[float, Field(ge=0), LogUniform(0.0001, 0.0016)]


def count(config: DecoderConfig, settings: Config) -> int:  # noqa: ARG001 - the interface
    """Count what is trained: everything."""
    return config.parameters


def attach(decoder: Decoder, settings: Config, generator: torch.Generator) -> list[str]:  # noqa: ARG001 - the interface
    """Name every parameter."""
    return [name for name, _ in decoder.named_parameters()]
