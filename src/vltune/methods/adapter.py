"""Bottleneck adapters after attention and after the MLP: x + up(gelu(down(x))), with `up` zero at the start.

Source: Houlsby et al. 2019, section 2.1 and figure 2 (two a layer, before the residual sum).
With dropout on the bottleneck after the activation, as in He et al. 2022, Towards a unified view.
Trained parameters: layers * 2 * (2 * width * bottleneck + bottleneck + width).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.methods.interface import LogUniform, Method, Rates, dropout, replace, uniform
from vltune.model.decoder import Decoder, DecoderConfig

SITES = ("after_attention", "after_mlp")


class BottleneckLayer(nn.Module):
    """A residual bottleneck on the output of a sub-layer."""

    def __init__(self, width: int, bottleneck: int, rate: float, generator: torch.Generator) -> None:
        """Start as the identity: `down` is random, `up` and both biases are zero; `rate` is of dropout."""
        super().__init__()
        self.dropout = dropout(rate)
        self.down = uniform(bottleneck, width, generator)
        self.down_bias = nn.Parameter(torch.zeros(bottleneck))
        self.up = nn.Parameter(torch.zeros(width, bottleneck))
        self.up_bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map [b, t, d] to [b, t, d]."""
        narrow = F.gelu(F.linear(x, self.down.to(x.dtype), self.down_bias.to(x.dtype)))  # [b, t, bottleneck]
        return x + F.linear(self.dropout(narrow), self.up.to(x.dtype), self.up_bias.to(x.dtype))


class Adapter(Method):
    """Section `adapter`: the width of the bottleneck."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]
    bottleneck: int = Field(ge=1, le=65536)

    SIZE: ClassVar = "bottleneck"
    OWN_DROPOUT: ClassVar = True
    TINY: ClassVar = {"bottleneck": 3, "dropout": 0.0}

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:
        """Put an adapter at both sites of every layer."""
        trained = []
        for i in range(len(decoder.blocks)):
            for site in SITES:
                name = f"blocks.{i}.{site}"
                layer = BottleneckLayer(decoder.config.width, self.bottleneck, self.dropout, generator)
                replace(decoder, name, layer)
                trained += [f"{name}.{part}" for part, _ in layer.named_parameters()]
        return trained

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formula above."""
        return (
            config.layers * len(SITES) * (2 * config.width * self.bottleneck + self.bottleneck + config.width)
        )
