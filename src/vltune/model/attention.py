"""Attention with grouped keys and values, rotary positions and a growing cache.

Shapes: b batch, t new tokens, s all tokens seen so far, h
query heads, g key/value heads, e head width, d width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """A linear layer that computes in the precision of its
    input, whatever the precision its weight is kept in.

    Frozen weights are kept in the compute precision (nothing to convert), trained ones in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class NoPrefix(nn.Module):
    """The off state of the key/value prefix site: keys, values and bias pass unchanged."""

    def forward(self, keys: Tensor, values: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three as they came."""
        return keys, values, bias


class Cache:
    """Keys and values of the tokens seen so far, one pair of tensors [b, g, capacity, e] a layer."""

    def __init__(self, capacity: int) -> None:
        """Make an empty cache for up to `capacity` tokens."""
        self.capacity = capacity
        self.length = 0
        self.layers: list[tuple[Tensor, Tensor]] = []

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append [b, g, t, e] to a layer and return all that it holds, [b, g, s, e]."""
        if layer == len(self.layers):
            shape = (*keys.shape[:2], self.capacity, keys.shape[-1])
            self.layers.append((keys.new_empty(shape), values.new_empty(shape)))
        end = self.length + keys.shape[2]
        for store, new in zip(self.layers[layer], (keys, values), strict=True):
            store[:, :, self.length:end] = new
        stored_keys, stored_values = self.layers[layer]
        return stored_keys[:, :, :end], stored_values[:, :, :end]

    def select(self, rows: Tensor) -> None:
        """Keep the given rows of the batch, in their order; a row may be taken several times."""
        self.layers = self.taken(rows, self.capacity).layers

    def taken(self, rows: Tensor, capacity: int) -> Cache:
        """Give a cache of the given rows with room for `capacity` tokens in all; this one stays as it is."""
        other = Cache(capacity)
        other.length = self.length
        for stores in self.layers:
            new = [store.new_empty((len(rows), store.shape[1], capacity, store.shape[3])) for store in stores]
            for target, store in zip(new, stores, strict=True):
                # what lies behind is not written yet
                target[:, :, :self.length] = store[rows, :, :self.length]
            other.layers.append((new[0], new[1]))
        return other


def rotation(positions: Tensor, head_dim: int, base: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines [b, 1, t, e] for positions [b, t], in the half-split form.

    The sines of the first half are negative, so that rotating is x * cos + swapped(x) * sin.

    Source: Su et al. 2021, RoFormer, equation 34, in the half-split layout of Llama's published code.
    """
    half = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    angles = positions[:, None, :, None].float() * base ** (-half / head_dim)  # [b, 1, t, e/2]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1).to(dtype), torch.cat((-sin, sin), dim=-1).to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate queries or keys [b, h, t, e] to their positions."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), sin)


class Attention(nn.Module):
    """Self-attention with the sites q, k, v, o (linears) and prefix (in front of keys and values).

    Source: Vaswani et al. 2017, section 3.2; grouped keys and values: Ainslie et al. 2023 (GQA).
    """

    def __init__(self, width: int, heads: int, kv_heads: int, head_dim: int, bias: bool) -> None:
        """Make the four linears; weights are filled by the loader."""
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.q = Linear(width, heads * head_dim, bias=bias)
        self.k = Linear(width, kv_heads * head_dim, bias=bias)
        self.v = Linear(width, kv_heads * head_dim, bias=bias)
        self.o = Linear(heads * head_dim, width, bias=bias)
        self.prefix: nn.Module = NoPrefix()

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor] | None, bias: Tensor, layer: int, cache: Cache | None
    ) -> Tensor:
        """Attend from x [b, t, d] to itself and the cache.

        Args: rope, cosines and sines of `rotation`, or None without rotary positions; bias [b, 1, t, s],
            added to the scores: 0 where a token may look, -inf elsewhere.
        Returns: [b, t, d].
        """
        b, t, _ = x.shape
        q = self.q(x).view(b, t, self.heads, self.head_dim).transpose(1, 2)  # [b, h, t, e]
        k = self.k(x).view(b, t, self.kv_heads, self.head_dim).transpose(1, 2)  # [b, g, t, e]
        v = self.v(x).view(b, t, self.kv_heads, self.head_dim).transpose(1, 2)
        if rope is not None:
            q, k = rotate(q, *rope), rotate(k, *rope)
        if cache is not None:
            k, v = cache.extend(layer, k, v)
        k, v, bias = self.prefix(k, v, bias)
        return self.o(attend(q, k, v, bias).transpose(1, 2).reshape(b, t, -1))


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Weigh values by the softmax of scaled scores: q [b, h, t, e], k and v [b, g, s, e], bias [b, 1, t, s].

    While training on a CPU the products are written out: the backward pass
    of torch's fused kernel is seven times slower there for rows as short as
    captions are (benchmarks/step.py). Both paths compute the same (a test).
    """
    b, h, t, e = q.shape
    g = k.shape[1]
    if q.device.type != "cpu" or not (q.requires_grad or k.requires_grad):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=h != g)
    stacked = q.reshape(b, g, h // g * t, e)  # the heads of a group, one below the other
    scores = (stacked @ k.transpose(-1, -2)).view(b, g, h // g, t, -1) * e**-0.5
    scores = scores + bias[:, :, None]  # [b, g, h/g, t, s]
    return (scores.softmax(-1).view(b, g, h // g * t, -1) @ v).view(b, h, t, e)
