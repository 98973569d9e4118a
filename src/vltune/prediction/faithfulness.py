"""Whether an attribution explains a prediction: what it costs to mask the image tokens that it ranks highest.

An attribution gives every image token a number: the attention weight, or gradient times input. If it is
faithful, then masking the tokens of the highest numbers lowers the log-probability of the predicted token
more than masking as many random ones, and more than masking those of the lowest numbers. Masking those that
the attention in another image ranks highest tells a habit of the model from what is about this image.

A masked token is taken out of the row, and the others keep their positions: no token sees it in any layer.
With cross-attention it is taken out of the keys and values of each layer.
The first position of the row is never masked, nor ranked. It collects attention whatever it holds (an
attention sink; Xiao et al. 2024, Efficient streaming language models with attention sinks, section 3.1), and
many models fail without it whatever was there.

Source: Jain and Wallace 2019, Attention is not explanation; DeYoung et al. 2020, ERASER, section 4.2
(comprehensiveness); Serrano and Smith 2019, Is attention interpretable?, section 4 (against random tokens).

Shapes: as in `attention.py`; c checked tokens of all texts, u masked image tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vltune.model.attention import Cache
from vltune.model.vision_language import VisionLanguageModel
from vltune.prediction.attention import Forced, log_probabilities, read

MASKED = ("random", "attention_highest", "attention_lowest", "attention_elsewhere", "gradient_highest",
          "gradient_lowest")


@dataclass(frozen=True)
class Check:
    """The checked tokens, as indices of the q predicted ones [c], and the drops [c, len(MASKED)] of their
    log-probabilities by what was masked, in nats."""

    tokens: Tensor
    drops: Tensor


@torch.no_grad()
def check(
    vlm: VisionLanguageModel, forced: Forced, weights: Tensor, unmasked: Tensor, tokens: int, share: float,
    generator: torch.Generator,
) -> Check:
    """Check attention and gradient times input on those tokens of each text that depend most on the image.

    Args: weights [q, m] on the image tokens and log-probabilities `unmasked` [q], both from `attention`;
        tokens, how many of a text are checked; share of the image tokens that is masked; generator, of the
        random ones.
    Returns: no token and no drop where no text has a token that can be checked.
    """
    chosen = most_dependent(vlm, forced, unmasked, tokens)
    if not len(chosen):
        return Check(chosen, unmasked.new_empty(0, len(MASKED)))
    sink = int(vlm.sink)
    ranked = len(forced.image) - sink
    count = min(ranked, max(1, math.ceil(share * ranked)))
    of_image = torch.zeros(len(forced.x), weights.shape[1], device=weights.device)
    of_image.index_add_(0, forced.rows, weights)  # the sum ranks as the mean does
    elsewhere = of_image.roll(1, 0)[forced.rows[chosen]]
    random = torch.rand(len(chosen), len(forced.image), generator=generator).to(weights.device)
    highest, lowest = slice(None, count), slice(ranked - count, None)
    gradient = gradient_times_input(vlm, forced, chosen)
    scores = (random, weights[chosen], weights[chosen], elsewhere, gradient, gradient)
    parts = (highest, highest, lowest, highest, highest, lowest)
    masked = torch.cat([
        sink + values[:, sink:].argsort(dim=1, descending=True, stable=True)[:, part]
        for values, part in zip(scores, parts, strict=True)])  # [len(MASKED) * c, u]
    after = masked_log_probabilities(vlm, forced, chosen.repeat(len(MASKED)), masked)
    return Check(chosen, unmasked[chosen][:, None] - after.view(len(MASKED), -1).T)


def most_dependent(vlm: VisionLanguageModel, forced: Forced, unmasked: Tensor, count: int) -> Tensor:
    """Choose `count` tokens of each text, whose log-probability falls most with another image: int64 [c].

    The others follow from the language alone, so that no image token can matter for them. A token that is
    predicted by an image token itself, as the first of a caption is, cannot be checked and is left out.
    """
    x = forced.x.clone()
    x[:, forced.image] = forced.x.roll(1, 0)[:, forced.image]
    positions = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    hidden = read(vlm.decoder, x, positions)[forced.rows, forced.queries]
    drops = unmasked - log_probabilities(vlm.decoder, hidden, forced.target)  # [q]
    order = drops.argsort(descending=True, stable=True).tolist()
    possible = (forced.queries >= forced.image.stop).tolist()
    owners, chosen = forced.rows.tolist(), []
    for row in range(len(x)):
        chosen += sorted([i for i in order if owners[i] == row and possible[i]][:count])
    return torch.tensor(chosen, dtype=torch.int64, device=x.device)


def gradient_times_input(vlm: VisionLanguageModel, forced: Forced, chosen: Tensor) -> Tensor:
    """Give each image token's weight [c, m] in the log-probability of each chosen token: the length of the
    elementwise product of its embedding and the gradient with respect to it.

    Source: Shrikumar et al. 2017, Learning important features through propagating activation differences,
    section 2 (gradient times input); Atanasova et al. 2020, A diagnostic study of explainability techniques
    for text classification, section 3 (the L2 norm over the embedding, which they find better than the sum).
    """
    x = forced.x[forced.rows[chosen]]
    before, image, after = x.tensor_split((forced.image.start, forced.image.stop), dim=1)
    positions = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    number = torch.arange(len(x), device=x.device)
    queries, target = forced.queries[chosen], forced.target[chosen]

    def total(image: Tensor) -> Tensor:
        hidden = read(vlm.decoder, torch.cat((before, image, after), dim=1), positions)
        return log_probabilities(vlm.decoder, hidden[number, queries], target).sum()  # rows are independent

    with torch.enable_grad():
        _, gradient = torch.autograd.functional.vjp(total, image)
    return (gradient.float() * image.float()).norm(dim=-1)


def masked_log_probabilities(
    vlm: VisionLanguageModel, forced: Forced, chosen: Tensor, masked: Tensor
) -> Tensor:
    """Give the log-probabilities [r] of predicted tokens, each with some image tokens masked.

    Args: chosen, int64 [r], which of the q tokens; masked, int64 [r, u], which image tokens.
    """
    rows, queries = forced.rows[chosen][:, None], forced.queries[chosen]
    t = int(queries.max()) + 1
    every = torch.arange(t, device=chosen.device).expand(len(chosen), t)
    kept = torch.ones_like(every, dtype=torch.bool).scatter_(1, forced.image.start + masked, value=False)
    positions, cache = every[kept].view(len(chosen), -1), None
    if vlm.cross is not None:  # the row stays whole, as no token sees the image tokens in it
        images = positions[:, forced.image.start:forced.image.stop - masked.shape[1]]
        cache = Cache(t)
        cache.images = vlm.cross.pairs(forced.x[rows, images])
        positions = every
    hidden = read(vlm.decoder, forced.x[rows, positions], positions, cache)
    number = torch.arange(len(chosen), device=chosen.device)
    last = queries - (t - positions.shape[1])
    return log_probabilities(vlm.decoder, hidden[number, last], forced.target[chosen])
