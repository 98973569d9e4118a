"""A network of two linear layers with a GELU between them, which maps each feature to an image token.

Source: Liu et al. 2024 (LLaVA-1.5), section 3.2, where it replaces the linear map of LLaVA. Features are
normalised first, as in `linear_projector.py`.
Trained parameters: (feature width + 1) * embedding width + (embedding width + 1) * embedding width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vltune.model.linear_projector import LinearProjector


class MlpProjector(LinearProjector):
    """An image token is W gelu(V x + a) + b of a normalised feature x; both layers are d wide."""

    def __init__(self, feature_width: int, width: int, features: int, extras: int = 0) -> None:
        """Start at zero; `training.align` gives both layers their start."""
        super().__init__(feature_width, width, features, extras)
        self.first = nn.Linear(feature_width, width)
        self.last = nn.Linear(width, width)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def hidden(self, features: Tensor) -> Tensor:
        """Give the input of the last layer, [b, k, d], for features [b, k, w]."""
        return F.gelu(self.first(super().hidden(features)))
