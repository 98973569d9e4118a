"""The language model: Llama-style, Qwen3-style and GPT-2-style blocks behind one class.

A block is   x = x + after_attention(attention(norm(x)));   x = x + after_mlp(mlp(norm(x)))
and offers the sites where a method may put its modules:
  1. the named linears attention.{q,k,v,o} and mlp.{gate,up,down} (GPT-2 has no gate); 2. `after_attention`
  and `after_mlp`, the identity unless a method replaces them; 3. `attention.prefix`, which puts keys and
  values in front of those of the tokens; 4. `prompt`, which puts embeddings in front of a sequence, before
  the image tokens. Whoever begins a sequence applies it once
     (`VisionLanguageModel.embed_images`), so that the blocks, the cache and the positions need not know of
it. Nothing else in here knows of methods. Shapes: b batch, t tokens, s all tokens seen so far, d width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vltune.model.attention import Attention, Cache, Linear, rotation
from vltune.model.norm import Norm


@dataclass(frozen=True)
class DecoderConfig:
    """The sizes of a decoder, all read from its config.json."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp_width: int
    norm_epsilon: float
    positions: int  # the longest sequence; the size of the position table if there is one
    rope_base: float | None  # None: learned positions, as in GPT-2
    gated: bool  # SwiGLU (Llama) or GELU (GPT-2)
    rms: bool  # RMSNorm (Llama) or LayerNorm (GPT-2)
    bias: bool
    qk_norm: bool = False  # RMSNorm of the queries and keys of each head, as in Qwen3
    tied: bool = True  # the output layer is the embedding table

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of every linear of a layer, by the name of its site."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        sizes = {
            "q": (self.width, query), "k": (self.width, key), "v": (self.width, key),
            "o": (query, self.width), "gate": (self.width, self.mlp_width),
            "up": (self.width, self.mlp_width), "down": (self.mlp_width, self.width),
        }
        return {site: size for site, size in sizes.items() if self.gated or site != "gate"}

    @property
    def parameters(self) -> int:
        """The number of a decoder's parameters; an output layer that is tied counts once."""
        norm = self.width * (1 if self.rms else 2)
        layer = 2 * norm + 2 * self.qk_norm * self.head_dim + sum(
            inputs * outputs + self.bias * outputs for inputs, outputs in self.linears.values()
        )
        rows = self.vocabulary * (1 if self.tied else 2) + (0 if self.rope_base else self.positions)
        return rows * self.width + self.layers * layer + norm


class Mlp(nn.Module):
    """The feed-forward part: down(silu(gate(x)) * up(x)), or down(gelu(up(x))).

    Source: Shazeer 2020, GLU variants, equation 6 (SwiGLU); Radford et al. 2019 for the tanh GELU.
    """

    def __init__(self, width: int, mlp_width: int, gated: bool, bias: bool) -> None:
        """Make the linears; weights are filled by the loader."""
        super().__init__()
        self.gate = Linear(width, mlp_width, bias=bias) if gated else None
        self.up = Linear(width, mlp_width, bias=bias)
        self.down = Linear(mlp_width, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [b, t, d] to [b, t, d]."""
        if self.gate is None:
            return self.down(F.gelu(self.up(x), approximate="tanh"))
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """One layer: attention and MLP, each after a norm and around a residual path."""

    def __init__(self, config: DecoderConfig) -> None:
        """Build an empty block."""
        super().__init__()
        self.attention_norm = Norm(config.width, config.norm_epsilon, config.rms)
        self.attention = Attention(
            config.width, config.heads, config.kv_heads, config.head_dim, config.bias,
            config.norm_epsilon if config.qk_norm else None)
        self.after_attention: nn.Module = nn.Identity()
        self.mlp_norm = Norm(config.width, config.norm_epsilon, config.rms)
        self.mlp = Mlp(config.width, config.mlp_width, config.gated, config.bias)
        self.after_mlp: nn.Module = nn.Identity()

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor] | None, bias: Tensor, layer: int, cache: Cache | None
    ) -> Tensor:
        """Map [b, t, d] to [b, t, d]; the arguments are those of `Attention.forward`."""
        x = x + self.after_attention(self.attention(self.attention_norm(x), rope, bias, layer, cache))
        return x + self.after_mlp(self.mlp(self.mlp_norm(x)))


class NoPrompt(nn.Module):
    """The off state of the prompt site: the sequence passes unchanged."""

    length = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings [b, t, d] as they came."""
        return x


class LooksAtImages(Protocol):
    """What lets the blocks look at images by another way than the row; see `model/cross_attention.py`."""

    layers: nn.ModuleList

    def begin(self, x: Tensor, before: int, cache: Cache | None) -> list[tuple[Tensor, Tensor]]:
        """Give each layer's keys and values of the image tokens in x, or in the cache."""

    def hidden(self, mask: Tensor, before: int) -> Tensor:
        """Hide the image tokens in a mask of self-attention."""

    def shifted(self, positions: Tensor, before: int) -> Tensor:
        """Count positions without the image tokens."""


class Decoder(nn.Module):
    """A causal language model from embeddings to hidden states; `logits` is the output layer."""

    def __init__(self, config: DecoderConfig) -> None:
        """Build an empty decoder; `model.loading` fills it."""
        super().__init__()
        self.config = config
        self.activation_checkpointing = False  # computes blocks again in the backward pass, to keep less
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.prompt: nn.Module = NoPrompt()
        self.position = None if config.rope_base else nn.Embedding(config.positions, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm(config.width, config.norm_epsilon, config.rms)
        self.output = None if config.tied else Linear(config.width, config.vocabulary, bias=False)
        self.fusion: LooksAtImages | None = None  # no module of the decoder: it belongs to the projector

    def embed(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """Look up token ids [b, t] in the embedding table, as [b, t, d] in the compute precision."""
        return self.embedding(tokens).to(dtype)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, cache: Cache | None = None) -> Tensor:
        """Run the blocks.

        Args: x, embeddings [b, t, d] in the compute precision; positions, int64 [b, t];
            mask, bool [b, 1, t, s], True where token t may look at token s; cache, extended if given.
        Returns: hidden states [b, t, d], normalised, ready for `logits`.
        """
        pairs = None
        if self.fusion is not None:
            before = self.prompt.length
            pairs = self.fusion.begin(x, before, cache)
            mask, positions = self.fusion.hidden(mask, before), self.fusion.shifted(positions, before)
        if self.position is not None:
            x = x + self.position(positions).to(x.dtype)
        rope = None
        if self.config.rope_base is not None:
            rope = rotation(positions, self.config.head_dim, self.config.rope_base, x.dtype)
        bias = torch.zeros(mask.shape, dtype=x.dtype, device=x.device).masked_fill_(~mask, float("-inf"))
        for layer, block in enumerate(self.blocks):
            if pairs is not None:
                x = self.fusion.layers[layer](x, pairs[layer])
            if self.activation_checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, rope, bias, layer, cache, use_reentrant=False)
            else:
                x = block(x, rope, bias, layer, cache)
        if cache is not None:
            cache.length += x.shape[1]
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Score the vocabulary: [..., d] to [..., vocabulary]; tied weights are the embedding table."""
        if self.output is not None:
            return self.output(hidden)
        return F.linear(hidden, self.embedding.weight.to(hidden.dtype))
