"""LoRA: W x + (alpha / rank) B A x, with A random and B zero.

Source: Hu et al. 2021, LoRA, equation 3 and section 4.1.
Trained parameters: layers * rank * sum over targets of (inputs + outputs).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.methods.interface import LogUniform, Method, PeftForm, Rates, replace, uniform
from vltune.model.attention import Linear
from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.operations import LowRankLinear
from vltune.pipeline.errors import InputError

SITES = {
    "q": "attention", "k": "attention", "v": "attention", "o": "attention", "gate": "mlp", "up": "mlp",
    "down": "mlp",
}


class LoraLinear(nn.Module):
    """A linear layer with a low-rank update beside it."""

    def __init__(
        self, base: Linear, rank: int, alpha: float, dropout: float, generator: torch.Generator
    ) -> None:
        """Start equal to `base`: A [rank, in] is random, B [out, rank] is zero."""
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.a = uniform(rank, base.in_features, generator)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        if isinstance(self.dropout, nn.Identity):
            weight, bias = self.base.weight.to(x.dtype), self.base.bias
            bias = None if bias is None else bias.to(x.dtype)
            return LowRankLinear.apply(x, weight, bias, self.a, self.b, self.scale)
        low = F.linear(self.dropout(x), self.a.to(x.dtype))  # [..., r]
        return self.base(x) + F.linear(low, (self.scale * self.b).to(x.dtype))

    def merged(self) -> Linear:
        """Give one linear layer that computes the same: W + scale B A."""
        with torch.no_grad():
            weight = self.base.weight.float() + self.scale * self.b @ self.a
            self.base.weight = nn.Parameter(weight.to(self.base.weight.dtype), requires_grad=False)
        return self.base


class Lora(Method):
    """Section `lora`: rank r, alpha (the update is scaled by
    alpha / rank), dropout on the input, target linears."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]
    rank: int = Field(ge=1, le=1024)
    alpha: float = Field(gt=0)
    targets: list[Literal["q", "k", "v", "o", "gate", "up", "down"]] = Field(min_length=1)

    SIZE: ClassVar = "rank"
    OWN_DROPOUT: ClassVar = True
    TINY: ClassVar = {"rank": 2, "alpha": 4.0, "dropout": 0.0, "targets": ["q", "v", "down"]}
    PEFT: ClassVar = PeftForm(
        "LORA", {"r": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout"},
        {"a": "lora_A.weight", "b": "lora_B.weight"}, {"bias": "none", "use_dora": False},
        {"target_modules": "targets"},
    )
    LAYER: ClassVar = LoraLinear

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:
        """Replace every target linear of every layer."""
        trained = []
        for i in range(len(decoder.blocks)):
            for site in self.sites(decoder.config):
                name = f"blocks.{i}.{SITES[site]}.{site}"
                layer = self.LAYER(
                    decoder.get_submodule(name), self.rank, self.alpha, self.dropout, generator
                )
                replace(decoder, name, layer)
                trained += [f"{name}.{part}" for part, _ in layer.named_parameters(recurse=False)]
        return trained

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formula above."""
        return config.layers * self.rank * sum(sum(config.linears[site]) for site in self.sites(config))

    def sites(self, config: DecoderConfig) -> list[str]:
        """Give the target linears, each once, in the order of
        their names; InputError if the decoder lacks one."""
        absent = [site for site in self.targets if site not in config.linears]
        if absent:
            raise InputError(f"{self.title()}.targets holds '{absent[0]}', which this decoder does not have")
        return sorted(set(self.targets))

    def resized(self, size: int) -> Self:
        """Give another rank, and the alpha that keeps alpha / rank."""
        return self.model_copy(update={"rank": size, "alpha": self.alpha / self.rank * size})

    def merge(self, decoder: Decoder) -> None:
        """Turn every LoRA layer back into a plain linear with the update added to its weight."""
        for name, layer in list(decoder.named_modules()):
            if isinstance(layer, LoraLinear):
                replace(decoder, name, layer.merged())
