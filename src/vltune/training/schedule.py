"""Learning rate over the course of a training: linear warm-up, then a cosine to zero."""

from __future__ import annotations

import math


def factor(step: int, steps: int, warmup_share: float) -> float:
    """What to multiply the learning rate with at a step (0-based): never zero, at most 1.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup + 1) / (steps - warmup + 1)))
