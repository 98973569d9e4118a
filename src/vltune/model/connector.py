"""From image features to the decoder's embedding space: a projector and a position table.

Shapes: n images, k image tokens, w feature width, d embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Connector(nn.Module):
    """LayerNorm, a linear map, and a learnt offset for every place in the token grid."""

    def __init__(self, feature_width: int, width: int, image_tokens: int) -> None:
        """Start at zero; `align` gives the projector its start."""
        super().__init__()
        self.norm = nn.LayerNorm(feature_width)
        self.projector = nn.Linear(feature_width, width)
        self.position = nn.Parameter(torch.zeros(image_tokens, width))
        nn.init.zeros_(self.projector.weight)
        nn.init.zeros_(self.projector.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [b, k, w] to image tokens [b, k, d], in float32."""
        return self.projector(self.norm(features.float())) + self.position


def align(connector: Connector, features: Tensor, targets: Tensor, scale: float, ridge: float) -> None:
    """Start the projector from ridge regression of text embeddings on mean image features.

    Args: features, mean of the normalised features [n, w]; targets, mean embedding of each image's words [n, d];
        scale, the standard deviation that image tokens shall have; ridge, the penalty as a share of the mean variance.

    The offset is left out of the map: image tokens are directions in the embedding space, centred at zero.

    Source: Hoerl and Kennard 1970 for the regression; Merullo et al. 2023 for a linear map between the two spaces.
    """
    x, y = features.double(), targets.double()
    mean = x.mean(0)
    x, y = x - mean, y - y.mean(0)
    gram = x.t() @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=x.dtype)
    weight = torch.linalg.solve(gram, x.t() @ y).t()  # [d, w]
    spread = (x @ weight.t()).std()
    with torch.no_grad():
        connector.projector.weight.copy_(weight * scale / spread)
        connector.projector.bias.copy_(-(weight @ mean) * scale / spread)


def normalised_mean(features: Tensor) -> Tensor:
    """Average the LayerNorm-ed tokens of each image: [n, k, w] to [n, w]."""
    return F.layer_norm(features.float(), features.shape[-1:]).mean(1)
