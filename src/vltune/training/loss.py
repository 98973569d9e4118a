"""The loss of a step: the mean cross-entropy of a task's target tokens; for several tasks, the mean of these.

So the loss of a joint training is the mean of the losses of the two separate ones. In a mean over the tokens
of both tasks, the answers, which are short, would hardly count beside the captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from vltune.model.operations import cross_entropy
from vltune.training.prefetch import Part

Number = TypeVar("Number", float, Tensor)


def summed(model: nn.Module, part: Part, device: torch.device) -> list[Tensor]:
    """Sum up the cross-entropies of the target tokens of each task, in nats."""
    moved = part.to(device)
    b = moved.batch
    logits = model(moved.features, b.tokens, b.positions, b.mask, b.sources)
    if part.tokens.count(0) == len(part.tokens) - 1:  # one task alone
        total = cross_entropy(logits, b.labels)
        return [total if n else total.new_zeros(()) for n in part.tokens]
    by_task = zip(logits.split(part.tokens), b.labels.split(part.tokens), strict=True)
    return [cross_entropy(*own) for own in by_task]


def over_tasks(sums: Sequence[Number], tokens: Sequence[int]) -> Number:
    """Give the mean over the tasks that have target tokens of the mean over these, in nats a token."""
    means = [loss / n for loss, n in zip(sums, tokens, strict=True) if n]
    return sum(means[1:], means[0]) / len(means)
