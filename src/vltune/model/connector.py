"""From image features to the decoder's embedding space: a projector and a position table.

Shapes: n images, k image tokens, w feature width, d embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Connector(nn.Module):
    """LayerNorm, a linear map, and a learnt offset for every place in the token grid."""

    def __init__(self, feature_width: int, width: int, image_tokens: int) -> None:
        """Start at zero; `training.align` gives the projector its start."""
        super().__init__()
        self.norm = nn.LayerNorm(feature_width)
        self.projector = nn.Linear(feature_width, width)
        self.position = nn.Parameter(torch.zeros(image_tokens, width))
        nn.init.zeros_(self.projector.weight)
        nn.init.zeros_(self.projector.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [b, k, w] to image tokens [b, k, d], in float32."""
        return self.projector(self.norm(features.float())) + self.position
