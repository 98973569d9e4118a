"""DoRA: LoRA with the weight split into direction and
magnitude, m * V / ||V|| with V = W + (alpha / rank) B A.

The norm is taken of each output's weights and treated as a
constant in the backward pass; m starts as the norm of W.

Source: Liu et al. 2024, DoRA: Weight-Decomposed Low-Rank Adaptation, equation 5 and section 4.3 (no gradient
through the norm). Trained parameters: layers * sum over targets of (rank * (inputs + outputs) + outputs).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.methods.interface import LogUniform, PeftForm, Rates
from vltune.methods.lora import Lora, LoraLinear
from vltune.model.attention import Linear
from vltune.model.decoder import DecoderConfig


class DoraLinear(LoraLinear):
    """A linear layer whose weight has a trained magnitude and a low-rank change of its direction."""

    def __init__(
        self, base: Linear, rank: int, alpha: float, dropout: float, generator: torch.Generator
    ) -> None:
        """Start equal to `base`: B is zero, the magnitude [out] is the norm of the weight."""
        super().__init__(base, rank, alpha, dropout, generator)
        self.magnitude = nn.Parameter(base.weight.detach().float().norm(dim=1))

    @torch.no_grad()
    def norm(self) -> Tensor:
        """Give the norm of each output's weights, [out]."""
        return (self.base.weight.float() + self.scale * self.b @ self.a).norm(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]; dropout is on the low-rank path alone."""
        low = F.linear(self.dropout(x), self.a.to(x.dtype))  # [..., r]
        direction = F.linear(x, self.base.weight.to(x.dtype)) + F.linear(
            low, (self.scale * self.b).to(x.dtype)
        )
        rescaled = direction * (self.magnitude / self.norm()).to(x.dtype)
        return rescaled if self.base.bias is None else rescaled + self.base.bias.to(x.dtype)

    def merged(self) -> Linear:
        """Give one linear layer that computes the same: m * V / ||V||."""
        factor = (self.magnitude / self.norm()).detach()[:, None]
        base = super().merged()
        base.weight = nn.Parameter((factor * base.weight.float()).to(base.weight.dtype), requires_grad=False)
        return base


class Dora(Lora):
    """Section `dora`: the same fields as `lora`."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]

    LAYER: ClassVar = DoraLinear
    PEFT: ClassVar = PeftForm(
        Lora.PEFT.type, Lora.PEFT.fields, {**Lora.PEFT.tensors, "magnitude": "lora_magnitude_vector"},
        {**Lora.PEFT.fixed, "use_dora": True}, Lora.PEFT.linears)

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formula above."""
        return super().count(config) + config.layers * sum(
            config.linears[site][1] for site in self.sites(config)
        )
