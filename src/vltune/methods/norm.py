"""Norm tuning: only the scales of the norms in front of
attention and MLP are trained (and their biases, in a LayerNorm).

Source: Zhao et al. 2024, Tuning LayerNorm in Attention: Towards Efficient Multi-Modal LLM Finetuning, section
2. Trained parameters: layers * 2 * width, twice as many where the norms have biases (GPT-2's LayerNorm;
Llama's RMSNorm has none).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from vltune.methods.interface import LogUniform, Method, Rates
from vltune.model.decoder import Decoder, DecoderConfig

NORMS = ("attention_norm", "mlp_norm")


class Norm(Method):
    """Section `norm`: what every method has, nothing of its own."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]

    RANDOM: ClassVar = False

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:  # noqa: ARG002 - nothing is random
        """Attach nothing; name the parameters of both norms of every layer."""
        return [f"blocks.{i}.{norm}.{name}" for i, block in enumerate(decoder.blocks) for norm in NORMS
                for name, _ in getattr(block, norm).named_parameters()]

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formula above."""
        return config.layers * len(NORMS) * config.width * (1 if config.rms else 2)
