"""The norms of a decoder's layers.

Shapes: d width of what is normalised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.model.operations import RmsNorm


class Norm(nn.Module):
    """RMSNorm, or LayerNorm with bias; computes in float32 inside.

    Source: Zhang and Sennrich 2019, equation 4; Ba et al. 2016.
    """

    def __init__(self, width: int, epsilon: float, rms: bool) -> None:
        """Start as the identity scale."""
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = None if rms else nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of [..., d]."""
        weight = self.weight.to(x.dtype)
        if self.bias is None and x.device.type == "cpu":
            return RmsNorm.apply(x, weight, self.epsilon)
        if self.bias is None:
            return F.rms_norm(x, weight.shape, weight, self.epsilon)  # a kernel of its own on a GPU
        return F.layer_norm(x, weight.shape, weight, self.bias.to(x.dtype), self.epsilon)
