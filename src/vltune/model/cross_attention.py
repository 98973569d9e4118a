"""Gated cross-attention, the second way to give images to the decoder: each layer looks at the image tokens.

A row is laid out as without it, [image tokens][start][text], but no token attends to the image tokens in
self-attention, and the text's positions begin at the start embedding. Before each block stands
  x = x + tanh(gate) * o(attend(q(norm(x)), k(images), v(images))),
without a causal mask over the image. The gate starts at zero, so the decoder starts as it was pretrained.
Shapes: b batch, t tokens, m image tokens, h heads, e head width, d width.

Source: Alayrac et al. 2022, Flamingo, section 2.2 (without the feed-forward layer behind the attention).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vltune.model.attention import Cache, Linear, attend
from vltune.model.decoder import DecoderConfig
from vltune.model.norm import Norm

Fusion = Literal["tokens", "cross"]  # how images reach the decoder: section `projector` of params.yaml
Pair = tuple[Tensor, Tensor]  # keys and values of the image tokens, [b, h, m, e] each


class GatedCrossAttention(nn.Module):
    """The cross-attention before one block."""

    def __init__(self, config: DecoderConfig) -> None:
        """Make linears as large as the decoder's own, with all heads, and a closed gate."""
        super().__init__()
        self.heads, self.head_dim = config.heads, config.head_dim
        inner = config.heads * config.head_dim
        self.norm = Norm(config.width, config.norm_epsilon, config.rms)
        self.q = Linear(config.width, inner, bias=False)
        self.k = Linear(config.width, inner, bias=False)
        self.v = Linear(config.width, inner, bias=False)
        self.o = Linear(inner, config.width, bias=False)
        self.gate = nn.Parameter(torch.zeros(1))

    def keys_and_values(self, images: Tensor) -> Pair:
        """Project image tokens [b, m, d]."""
        return self._split(self.k(images)), self._split(self.v(images))

    def forward(self, x: Tensor, pair: Pair) -> Tensor:
        """Add what x [b, t, d] sees in the image: [b, t, d]."""
        b, t, _ = x.shape
        everywhere = x.new_zeros(b, 1, t, pair[0].shape[2])  # every token looks at the whole image
        seen = attend(self._split(self.q(self.norm(x))), *pair, everywhere)
        return x + self.gate.tanh().to(x.dtype) * self.o(seen.transpose(1, 2).reshape(b, t, -1))

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, self.head_dim).transpose(1, 2)


class CrossAttention(nn.Module):
    """The cross-attention of all layers, and the embedding that a text starts with."""

    def __init__(self, config: DecoderConfig, image_tokens: int) -> None:
        """Build it for rows that begin with m `image_tokens`; `initialise` draws the weights."""
        super().__init__()
        self.image_tokens = image_tokens
        self.start = nn.Parameter(torch.zeros(config.width))
        self.layers = nn.ModuleList(GatedCrossAttention(config) for _ in range(config.layers))

    @torch.no_grad()
    def initialise(self, start: Tensor, generator: torch.Generator) -> None:
        """Draw the matrices, normal with variance 1 / inputs, and begin texts with an embedding [d]."""
        self.start.copy_(start)
        for parameter in self.layers.parameters():
            if parameter.ndim > 1:
                drawn = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(drawn * parameter.shape[1] ** -0.5)

    def begin(self, x: Tensor, before: int, cache: Cache | None) -> list[Pair]:
        """Give the keys and values of every layer: of the image tokens in x [b, t, d], which stand behind
        `before` other positions, or, where x continues a row, those in its cache."""
        if cache is not None and cache.images:
            return cache.images
        pairs = self.pairs(x[:, before:before + self.image_tokens])
        if cache is not None:
            cache.images = pairs
        return pairs

    def pairs(self, images: Tensor) -> list[Pair]:
        """Give the keys and values of every layer, of image tokens [b, m, d]."""
        return [layer.keys_and_values(images) for layer in self.layers]

    def hidden(self, mask: Tensor, before: int) -> Tensor:
        """Hide the image tokens from self-attention: mask, bool [b, 1, t, s], for the last t of s tokens. An
        image token still sees itself, since a row without any would have no softmax."""
        t, s = mask.shape[-2:]
        column = torch.arange(s, device=mask.device)
        image = (column >= before) & (column < before + self.image_tokens)
        itself = column == torch.arange(s - t, s, device=mask.device)[:, None]
        return mask & ~image | image & itself

    def shifted(self, positions: Tensor, before: int) -> Tensor:
        """Count positions [b, t] as if there were no image tokens."""
        behind = positions >= before + self.image_tokens
        return torch.where(behind, positions - self.image_tokens, positions)
