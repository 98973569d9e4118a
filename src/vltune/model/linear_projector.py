"""A linear map of each feature to an image token.

Source: Merullo et al. 2023, section 3; Liu et al. 2023 (LLaVA), equation 1. There the features enter as the
encoder gives them; here they are normalised first, so that one learning rate suits every encoder.
Trained parameters: (feature width + 1) * embedding width.
"""

from __future__ import annotations

from torch import Tensor, nn

from vltune.model.projector_interface import Projector


class LinearProjector(Projector):
    """An image token is W x + b of a normalised feature x; the decoder knows its cell by its position."""

    def __init__(self, feature_width: int, width: int, features: int, extras: int = 0) -> None:
        """Start at zero; `training.align` gives the last layer its start."""
        super().__init__(feature_width, features, 0, extras)
        self.norm = nn.LayerNorm(feature_width, elementwise_affine=False)
        self.last = nn.Linear(feature_width, width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def hidden(self, features: Tensor) -> Tensor:
        """Give the input of the last layer, [b, k, w], for features [b, k, w]."""
        return self.norm(features.float())

    def forward(self, features: Tensor) -> Tensor:
        """Map features [b, k, w] to image tokens [b, k, d], in float32."""
        return self.last(self.hidden(features))
