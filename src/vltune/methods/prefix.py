"""Prefix tuning: trained keys and values in front of those of the tokens, in every layer.

With `reparametrization` h > 0 a prefix comes from an embedding [length, h] through a two-layer network while
it is trained; saved and used is the folded prefix alone.

Source: Li and Liang 2021, Prefix-Tuning, sections 4.2 and 4.3; dropout of the prefix as in their code.
Trained parameters: layers * 2 * length * kv_heads * head_dim; with reparametrization
layers * (length * h + h * h + h + (h + 1) * 2 * kv_heads * head_dim), folded to the first formula.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.methods.interface import LogUniform, Method, Rates, dropout, replace, uniform
from vltune.model.decoder import Decoder, DecoderConfig


class KeyValuePrefix(nn.Module):
    """Keys and values [g, p, e] that every token of the layer may look at."""

    def __init__(
        self, length: int, kv_heads: int, head_dim: int, scale: float, rate: float, generator: torch.Generator
    ) -> None:
        """Start small and random: `scale` is the standard deviation; `rate` is of dropout."""
        super().__init__()
        shape = (kv_heads, length, head_dim)
        self.length, self.dropout = length, dropout(rate)
        self.keys = nn.Parameter(scale * torch.randn(shape, generator=generator))
        self.values = nn.Parameter(scale * torch.randn(shape, generator=generator))

    def pair(self) -> tuple[Tensor, Tensor]:
        """Give keys and values, both [g, p, e]."""
        return self.keys, self.values

    def forward(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put the prefix in front of keys and values [b, g, s, e]."""
        b = len(keys)
        first, second = (  # [b, g, p, e]
            self.dropout(part.to(keys.dtype).expand(b, -1, -1, -1)) for part in self.pair())
        return torch.cat((first, keys), dim=2), torch.cat((second, values), dim=2)


class ReparametrizedPrefix(KeyValuePrefix):
    """A prefix that is computed from a small network while it is trained."""

    def __init__(
        self, length: int, kv_heads: int, head_dim: int, hidden: int, rate: float, generator: torch.Generator
    ) -> None:
        """Start with a random embedding and random weights; `rate` is of dropout."""
        nn.Module.__init__(self)
        self.length, self.dropout = length, dropout(rate)
        self.shape = (length, 2, kv_heads, head_dim)
        self.embedding = nn.Parameter(torch.randn(length, hidden, generator=generator))
        self.inner = uniform(hidden, hidden, generator)
        self.inner_bias = nn.Parameter(torch.zeros(hidden))
        self.outer = uniform(2 * kv_heads * head_dim, hidden, generator)
        self.outer_bias = nn.Parameter(torch.zeros(2 * kv_heads * head_dim))

    def pair(self) -> tuple[Tensor, Tensor]:
        """Compute keys and values, both [g, p, e]."""
        hidden = torch.tanh(F.linear(self.embedding, self.inner, self.inner_bias))  # [p, h]
        both = F.linear(hidden, self.outer, self.outer_bias)  # [p, 2 * g * e]
        both = both.view(self.shape).permute(1, 2, 0, 3)  # [2, g, p, e]
        return both[0], both[1]

    def folded(self) -> KeyValuePrefix:
        """Give a plain prefix with the keys and values of this moment."""
        keys, values = (part.detach().clone() for part in self.pair())
        plain = KeyValuePrefix(keys.shape[1], keys.shape[0], keys.shape[2], 0.0, 0.0, torch.Generator())
        plain.keys, plain.values = nn.Parameter(keys), nn.Parameter(values)
        return plain


class Prefix(Method):
    """Section `prefix`: the number of prefix positions, and
    the hidden width of the reparametrisation (0: none)."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]
    length: int = Field(ge=1, le=4096)
    reparametrization: int = Field(ge=0, le=65536)
    # standard deviation of the initial values; has no effect with reparametrization
    scale: float = Field(gt=0)

    SIZE: ClassVar = "length"
    STARTS_AS_BASE: ClassVar = False
    OWN_DROPOUT: ClassVar = True
    TINY: ClassVar = {"length": 3, "reparametrization": 0, "scale": 0.1, "dropout": 0.0}

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:
        """Put a prefix in front of every layer's keys and values."""
        config, hidden = decoder.config, self.reparametrization
        trained = []
        for i in range(len(decoder.blocks)):
            sizes = (self.length, config.kv_heads, config.head_dim)
            if hidden:
                layer = ReparametrizedPrefix(*sizes, hidden, self.dropout, generator)
            else:
                layer = KeyValuePrefix(*sizes, self.scale, self.dropout, generator)
            name = f"blocks.{i}.attention.prefix"
            replace(decoder, name, layer)
            trained += [f"{name}.{part}" for part, _ in layer.named_parameters()]
        return trained

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formulas above."""
        pair, hidden = 2 * config.kv_heads * config.head_dim, self.reparametrization
        if hidden:
            return config.layers * (self.length * hidden + hidden * hidden + hidden + (hidden + 1) * pair)
        return config.layers * self.length * pair

    def fold(self, decoder: Decoder, trained: list[str]) -> list[str]:  # noqa: ARG002 - all prefixes are trained
        """Replace every reparametrised prefix by the prefix that
        it computes; name the parameters that are then there."""
        names = []
        for name, layer in list(decoder.named_modules()):
            if isinstance(layer, ReparametrizedPrefix):
                replace(decoder, name, layer.folded())
            if isinstance(layer, KeyValuePrefix):
                names += [f"{name}.keys", f"{name}.values"]
        return sorted(names)
