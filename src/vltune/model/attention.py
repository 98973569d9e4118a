"""Attention with grouped keys and values, rotary positions and a growing cache.

Shapes: b batch, t new tokens, s all tokens seen so far, h
query heads, g key/value heads, e head width, d width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.model.norm import Norm
from vltune.model.operations import Attend, Rotate


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
    """The off state of the key/value prefix site: keys and values pass unchanged."""

    length = 0

    def forward(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return both as they came."""
        return keys, values


class Cache:
    """Keys and values of the tokens seen so far, a pair of tensors [rows, capacity, g, e] for each layer.

    A prefix in front of the first token is stored with it, once; it does not count in `length`. A token's
    keys of all heads lie side by side, so that the last tokens of a row are copied as one piece.
    """

    def __init__(self, capacity: int) -> None:
        """Make an empty cache for up to `capacity` tokens."""
        self.capacity = capacity
        self.length = 0
        self.layers: list[tuple[Tensor, Tensor]] = []
        self.images: list[tuple[Tensor, Tensor]] = []  # of cross-attention, where there is one
        self.group, self.shared = 1, 0  # the first `shared` tokens of `group` neighbouring rows are the same

    def extend(self, layer: int, keys: Tensor, values: Tensor, prefix: int = 0) -> tuple[Tensor, Tensor]:
        """Append [b, g, t, e] to a layer and return all that it holds, [b, g, prefix + s, e].

        Args: prefix, the number of prefix positions of the layer; the first keys and values begin with them.
        """
        b, g, t, e = keys.shape
        if layer == len(self.layers):
            shape = (b, prefix + self.capacity, g, e)
            self.layers.append((keys.new_empty(shape), values.new_empty(shape)))
            start = 0
        else:
            start = prefix + self.length
        end = start + t
        for store, new in zip(self.layers[layer], (keys, values), strict=True):
            store[:, start:end] = new.transpose(1, 2)
        stored_keys, stored_values = self.layers[layer]
        return stored_keys[:, :end].transpose(1, 2), stored_values[:, :end].transpose(1, 2)

    def select(self, rows: Tensor) -> None:
        """Keep the given rows of the batch, at most as many as there are, in their order; a row may be taken
        several times.

        Nothing is moved of a row that stays where it is, and of a row that comes from its own group only what
        follows the shared tokens.
        """
        own = torch.arange(len(rows), device=rows.device)
        moved = (rows != own).nonzero()[:, 0]
        foreign = (rows // self.group != own // self.group).nonzero()[:, 0]
        for number, stores in enumerate(self.layers):
            size = stores[0].shape[1] - self.capacity  # of the prefix
            for store in stores:
                _move(store[:, size + self.shared:size + self.length], rows, moved)
                _move(store[:, :size + self.shared], rows, foreign)
            self.layers[number] = (stores[0][:len(rows)], stores[1][:len(rows)])
        for number, pair in enumerate(self.images):
            for store in pair:
                _move(store, rows, foreign)
            self.images[number] = (pair[0][:len(rows)], pair[1][:len(rows)])

    def taken(self, rows: Tensor, capacity: int) -> Cache:
        """Give a cache of the given rows with room for `capacity` tokens in all; this one stays as it is."""
        other = Cache(capacity)
        other.length = self.length
        other.images = [(keys[rows], values[rows]) for keys, values in self.images]
        for stores in self.layers:
            size = stores[0].shape[1] - self.capacity  # of the prefix
            new = [store.new_empty((len(rows), size + capacity, *store.shape[2:])) for store in stores]
            for target, store in zip(new, stores, strict=True):
                # what lies behind is not written yet
                target[:, :size + self.length] = store[rows, :size + self.length]
            other.layers.append((new[0], new[1]))
        return other

    def repeated(self, count: int, capacity: int) -> Cache:
        """Give a cache of each row `count` times, a group that shares its tokens, for `capacity` tokens."""
        store = self.layers[0][0]
        rows = torch.arange(len(store), device=store.device).repeat_interleave(count)
        other = self.taken(rows, capacity)
        other.group, other.shared = count, self.length
        return other


def _move(store: Tensor, rows: Tensor, targets: Tensor) -> None:
    """Copy row rows[i] of a store [rows, ...] to row i, for each i in targets, all at once."""
    if len(targets):
        store.index_copy_(0, targets, store.index_select(0, rows[targets]))


def rotation(positions: Tensor, head_dim: int, base: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines [b, 1, t, e] for positions [b, t], in the half-split form.

    The sines of the first half are negative, so that `operations.Rotate` is x * cos + swapped(x) * sin.

    Source: Su et al. 2021, RoFormer, equation 34, in the half-split layout of Llama's published code.
    """
    half = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    angles = positions[:, None, :, None].float() * base ** (-half / head_dim)  # [b, 1, t, e/2]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((cos, cos), dim=-1).to(dtype), torch.cat((-sin, sin), dim=-1).to(dtype)


class Attention(nn.Module):
    """Self-attention with the sites q, k, v, o (linears) and prefix (in front of keys and values).

    Source: Vaswani et al. 2017, section 3.2; grouped keys and values: Ainslie et al. 2023 (GQA); normalised
    queries and keys: Henry et al. 2020, section 2.2, in the form of Qwen3 (Yang et al. 2025, section 2).
    """

    def __init__(
        self, width: int, heads: int, kv_heads: int, head_dim: int, bias: bool,
        qk_epsilon: float | None = None,
    ) -> None:
        """Make the four linears; weights are filled by the loader.

        Args: qk_epsilon, of the norms of queries and keys, if they are normalised.
        """
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.q = Linear(width, heads * head_dim, bias=bias)
        self.k = Linear(width, kv_heads * head_dim, bias=bias)
        self.v = Linear(width, kv_heads * head_dim, bias=bias)
        self.o = Linear(heads * head_dim, width, bias=bias)
        normalised = qk_epsilon is not None
        self.q_norm = Norm(head_dim, qk_epsilon, rms=True) if normalised else None
        self.k_norm = Norm(head_dim, qk_epsilon, rms=True) if normalised else None
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
        if self.q_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = Rotate.apply(q, *rope), Rotate.apply(k, *rope)
        if cache is None or not cache.length:
            k, v = self.prefix(k, v)
        if cache is not None:
            k, v = cache.extend(layer, k, v, self.prefix.length)
        if self.prefix.length:
            bias = F.pad(bias, (self.prefix.length, 0))  # [b, 1, t, p + s], all may look at the prefix
        return self.o(attend(q, k, v, bias).transpose(1, 2).reshape(b, t, -1))


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Weigh values by the softmax of scaled scores: q [b, h, t, e], k and v [b, g, s, e], bias [b, 1, t, s].

    While training on a CPU the products are written out: the backward pass
    of torch's fused kernel is seven times slower there for rows as short as
    captions are (benchmarks/step.py). On a GPU keys and values are repeated for the heads of their group:
    of torch's fused kernels, the one that takes a mask wants as many of them as queries, and torch would
    turn to unfused products without saying so. All paths compute the same (a test).
    """
    if q.device.type == "cpu" and (q.requires_grad or k.requires_grad):
        return Attend.apply(q, k, v, bias)
    if q.device.type == "cuda":
        return attend_fused(q, k, v, bias)
    if q.shape[2] == 1:  # the heads of a group as so many tokens: their keys are read once
        stacked = q.reshape(len(q), k.shape[1], -1, q.shape[3])  # [b, g, h / g, e]
        return F.scaled_dot_product_attention(stacked, k, v, attn_mask=bias).view(q.shape)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=q.shape[1] != k.shape[1])


def attend_fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Do what `attend` does, in the form that torch's memory-efficient kernel for GPUs takes."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)  # [b, h, s, e]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(-1, q.shape[1], -1, -1))
