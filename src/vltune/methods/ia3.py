"""(IA)^3: learned vectors that rescale keys, values and the inner activation of the MLP.

k becomes l_k * (W_k x), v becomes l_v * (W_v x), and
down(h) becomes down(l_ff * h); all vectors start at one.

Source: Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
Learning, section 3.3. Trained parameters: layers * (2 * kv_heads * head_dim + mlp_width).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from vltune.methods.interface import LogUniform, Method, PeftForm, Rates, replace
from vltune.model.attention import Linear
from vltune.model.decoder import Decoder, DecoderConfig

# linears whose outputs, or inputs, are rescaled
OUTPUTS, INPUTS = ("attention.k", "attention.v"), ("mlp.down",)


class RescaledOutput(nn.Module):
    """A linear layer whose outputs are rescaled."""

    def __init__(self, base: Linear) -> None:
        """Start equal to `base`."""
        super().__init__()
        self.base = base
        self.scale = nn.Parameter(torch.ones(base.out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        return self.base(x) * self.scale.to(x.dtype)

    def merged(self) -> Linear:
        """Give one linear layer that computes the same: diag(l) W, l * bias."""
        with torch.no_grad():
            self.base.weight = _frozen(self.scale[:, None] * self.base.weight.float(), self.base.weight)
            if self.base.bias is not None:
                self.base.bias = _frozen(self.scale * self.base.bias.float(), self.base.bias)
        return self.base


class RescaledInput(nn.Module):
    """A linear layer whose inputs are rescaled."""

    def __init__(self, base: Linear) -> None:
        """Start equal to `base`."""
        super().__init__()
        self.base = base
        self.scale = nn.Parameter(torch.ones(base.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        return self.base(x * self.scale.to(x.dtype))

    def merged(self) -> Linear:
        """Give one linear layer that computes the same: W diag(l)."""
        with torch.no_grad():
            self.base.weight = _frozen(self.scale * self.base.weight.float(), self.base.weight)
        return self.base


class Ia3(Method):
    """Section `ia3`: what every method has, nothing of its own."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]

    RANDOM: ClassVar = False
    PEFT: ClassVar = PeftForm(
        "IA3", {}, {"scale": "ia3_l"}, {},
        {"target_modules": ("k", "v", "down"), "feedforward_modules": ("down",)},
        {"k": (-1, 1), "v": (-1, 1), "down": (1, -1)},
    )

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:  # noqa: ARG002 - nothing is random
        """Rescale keys, values and the MLP's inner activation in every layer."""
        trained = []
        for i in range(len(decoder.blocks)):
            for site in (*OUTPUTS, *INPUTS):
                name = f"blocks.{i}.{site}"
                layer = RescaledOutput if site in OUTPUTS else RescaledInput
                replace(decoder, name, layer(decoder.get_submodule(name)))
                trained.append(f"{name}.scale")
        return trained

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formula above."""
        return config.layers * (2 * config.kv_heads * config.head_dim + config.mlp_width)

    def merge(self, decoder: Decoder) -> None:
        """Multiply every vector into the weight of its linear."""
        for name, layer in list(decoder.named_modules()):
            if isinstance(layer, RescaledOutput | RescaledInput):
                replace(decoder, name, layer.merged())


def _frozen(tensor: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.to(like.dtype), requires_grad=False)
