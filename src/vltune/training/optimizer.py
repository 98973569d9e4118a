"""AdamW over two kinds of parameters (method, projector),
each with its rate; weight decay on matrices only."""

from __future__ import annotations

import math

import torch
from torch import nn


def build(
    method: dict[str, nn.Parameter], projector: nn.Module, learning_rate: float,
    projector_learning_rate: float, weight_decay: float,
) -> torch.optim.AdamW:
    """Build the optimizer.

    A matrix is a tensor of two or more dimensions; gains, biases and other vectors are not decayed.

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization.
    """
    groups = []
    for tensors, rate in (
        (list(method.values()), learning_rate), (list(projector.parameters()), projector_learning_rate),
    ):
        for decay, part in (
            (weight_decay, [p for p in tensors if p.ndim > 1]), (0.0, [p for p in tensors if p.ndim < 2]),
        ):
            if part:
                groups.append({"params": part, "weight_decay": decay, "peak": rate, "lr": rate})
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, warmup_share: float) -> None:
    """Set every group's learning rate for a step (0-based)."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor(step, steps, warmup_share)


def factor(step: int, steps: int, warmup_share: float) -> float:
    """What to multiply the learning rate with at a step (0-based): never zero, at most 1.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup + 1) / (steps - warmup + 1)))
