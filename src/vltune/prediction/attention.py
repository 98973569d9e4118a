"""The decoder's attention on the image when it predicts each token of a text that is there (teacher forcing).

The weights are taken from the decoder while it computes, with whatever a method has put into it: a second
pass over a generated text. No other pass records anything. A decoder that looks at images by cross-attention
does not see them in its self-attention; the weights are then those of the cross-attention.

Shapes: b images, k features of an image, w feature width, m image tokens, t positions of a row, q predicted
tokens of all rows, s keys (t, and those of a key/value prefix in front of them), h query heads, g key/value
heads, d width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.overrides import TorchFunctionMode

from vltune.data.batch import Text
from vltune.model.attention import Cache
from vltune.model.decoder import Decoder
from vltune.model.vision_language import VisionLanguageModel

TOLERANCE = 1e-4  # of the sum of a query's weights, which are computed in float32


@dataclass(frozen=True)
class Forced:
    """Texts after their images, as the decoder reads them, and the tokens of their targets, q of all rows.

    A row of x [b, t, d] has a method's prompt embeddings, the image tokens (their positions are `image`), and
    the text, padded on the right, where no token before it looks. Predicted token i is target [q], in row
    rows [q], by the hidden state at position queries [q].
    """

    x: Tensor
    image: range
    rows: Tensor
    queries: Tensor
    target: Tensor


@torch.no_grad()
def force(vlm: VisionLanguageModel, features: Tensor, texts: Sequence[Text]) -> Forced:
    """Lay out images, given by their features [b, k, w], with a text each, whose target is predicted."""
    device = features.device
    ids = [torch.tensor([*text.prompt, *text.target], dtype=torch.int64) for text in texts]
    tokens = pad_sequence(ids, batch_first=True).to(device)
    images = vlm.embed_images(features)
    x = torch.cat((images, vlm.decoder.embed(tokens, vlm.dtype)), dim=1)
    end, predicted = images.shape[1], []
    for row, text in enumerate(texts):
        first = end + len(text.prompt) - 1
        predicted += [(row, first + i, token) for i, token in enumerate(text.target)]
    rows, queries, target = torch.tensor(predicted, dtype=torch.int64, device=device).view(-1, 3).T
    return Forced(x, vlm.image_positions, rows, queries, target)


def read(decoder: Decoder, x: Tensor, positions: Tensor, cache: Cache | None = None) -> Tensor:
    """Run the decoder on rows of embeddings [r, t, d] at positions [r, t]; every token looks back.

    Args: cache, an empty one; with cross-attention it may hold what is seen of the images.
    Returns: the hidden states [r, t, d].
    """
    r, t, _ = x.shape
    causal = torch.ones(t, t, dtype=torch.bool, device=x.device).tril()
    return decoder(x, positions, causal.expand(r, 1, t, t), cache)


def log_probabilities(decoder: Decoder, hidden: Tensor, target: Tensor) -> Tensor:
    """Give the log-probability of each token of target [q] after its hidden state [q, d], in nats."""
    return decoder.logits(hidden).float().log_softmax(-1).gather(1, target[:, None])[:, 0]


class Recorder(TorchFunctionMode):
    """While it is active, each call of torch's attention kernel in this thread also leaves its weights.

    The weights are what the same kernel gives in float32 for the identity as values. They are averaged over
    `heads` (all if empty): `layers` holds weights [b, t, s] for every call, in their order.
    """

    def __init__(self, heads: Sequence[int]) -> None:
        """Record nothing yet."""
        super().__init__()
        self.heads = list(heads)
        self.layers: list[Tensor] = []

    def __torch_function__(
        self, called: Callable, types: Any, positional: tuple = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Call what is about to be called; if it is the attention kernel, a second time for its weights."""
        if called is F.scaled_dot_product_attention:
            q, k, _, *others = positional
            self._record(q, k, *others, **(named or {}))
        return called(*positional, **(named or {}))

    def _record(self, q: Tensor, k: Tensor, attn_mask: Tensor, **options: Any) -> None:
        b, g, s, _ = k.shape
        identity = torch.eye(s, device=k.device).expand(b, g, s, s)
        weights = F.scaled_dot_product_attention(
            q.float(), k.float(), identity, attn_mask=attn_mask.float(), **options)  # [b, h, t, s]
        check_sums(weights)
        self.layers.append((weights[:, self.heads] if self.heads else weights).mean(1))


def check_sums(weights: Tensor) -> None:
    """Raise ArithmeticError unless the weights [..., s] of every query sum to one over all keys."""
    worst = (weights.sum(-1) - 1).abs().max().item() if weights.numel() else 0.0
    if not worst <= TOLERANCE:
        raise ArithmeticError(f"a query's attention weights differ from a sum of 1 by {worst:g}")


@torch.no_grad()
def attention(
    vlm: VisionLanguageModel, forced: Forced, layers: Sequence[int], heads: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Read the texts once more, and record the attention.

    Args: layers, heads: those whose weights are averaged, from 0; all if empty.
    Returns: the weights [q, s] with which each token was predicted, summing to one over the keys: first those
        of a key/value prefix, then the t positions; with cross-attention [q, m], over the image tokens alone;
        the log-probabilities [q] of the tokens.
    Source: Vaswani et al. 2017, equation 1; Vig 2019, A multiscale visualization of attention.
    """
    positions = torch.arange(forced.x.shape[1], device=forced.x.device).expand(len(forced.x), -1)
    with Recorder(heads) as recorder:
        hidden = read(vlm.decoder, forced.x, positions)
    calls = 1 if vlm.cross is None else 2  # of the kernel in a layer; cross-attention comes first
    if len(recorder.layers) != calls * len(vlm.decoder.blocks):
        raise RuntimeError(f"recorded {len(recorder.layers)} of {calls * len(vlm.decoder.blocks)} layers")
    recorded = recorder.layers[::calls]
    chosen = [recorded[i][forced.rows, forced.queries] for i in layers or range(len(recorded))]
    weights = torch.stack(chosen).mean(0)
    check_sums(weights)
    return weights, log_probabilities(vlm.decoder, hidden[forced.rows, forced.queries], forced.target)


def on_image(weights: Tensor, forced: Forced) -> Tensor:
    """Take the weights [q, m] on the image tokens out of those of `attention`."""
    if weights.shape[1] == len(forced.image):  # cross-attention has no other keys
        return weights
    prefix = weights.shape[1] - forced.x.shape[1]
    return weights[:, prefix + forced.image.start:prefix + forced.image.stop]
