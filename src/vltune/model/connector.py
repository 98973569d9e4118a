"""From image features to the decoder's embedding space: a reader of words, a projector and a position table.

Shapes: n images, k image tokens, w feature width, v words, d embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Connector(nn.Module):
    """LayerNorm, then the sum of words, a linear map, and a learnt offset for every place in the token grid.

    The words are a softmax over the words of the captions, times their embeddings: what the decoder can do with a text it can
    then do with an image, as to say whether a thing that is asked for is there. The linear map keeps what no word says.
    """

    def __init__(self, feature_width: int, words: int, width: int, image_tokens: int) -> None:
        """Start at zero; `training.align` gives reader, words and positions their start."""
        super().__init__()
        self.norm = nn.LayerNorm(feature_width)
        self.reader = nn.Linear(feature_width, words)
        self.words = nn.Linear(words, width, bias=False)
        self.projector = nn.Linear(feature_width, width)
        self.position = nn.Parameter(torch.zeros(image_tokens, width))
        for one in (self.reader.weight, self.reader.bias, self.words.weight, self.projector.weight, self.projector.bias):
            nn.init.zeros_(one)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [b, k, w] to image tokens [b, k, d], in float32."""
        x = self.norm(features.float())
        return self.words(self.reader(x).softmax(-1)) + self.projector(x) + self.position
