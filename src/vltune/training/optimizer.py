"""AdamW over two kinds of parameters (method, connector), each with its rate; weight decay on matrices only."""

from __future__ import annotations

import torch
from torch import nn

from vltune.training.schedule import factor


def build(
    method: dict[str, nn.Parameter], connector: nn.Module, learning_rate: float, connector_learning_rate: float,
    weight_decay: float
) -> torch.optim.AdamW:
    """Build the optimizer.

    A matrix is a tensor of two or more dimensions; gains, biases and other vectors are not decayed.

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization.
    """
    groups = []
    for tensors, rate in ((list(method.values()), learning_rate), (list(connector.parameters()), connector_learning_rate)):
        for decay, part in ((weight_decay, [p for p in tensors if p.ndim > 1]), (0.0, [p for p in tensors if p.ndim < 2])):
            if part:
                groups.append({"params": part, "weight_decay": decay, "peak": rate, "lr": rate})
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, warmup_share: float) -> None:
    """Set every group's learning rate for a step (0-based)."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor(step, steps, warmup_share)
