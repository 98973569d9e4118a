"""From image features to the decoder's embedding space: a reader of words, their embeddings and a position table.

Shapes: n images, k image tokens, w feature width, v words, d embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Connector(nn.Module):
    """LayerNorm, a softmax over words, the mean of their embeddings, and a learnt offset for every place in the token grid.

    So an image token is made of words that the decoder knows, and what it can do with a text it can do with an image, as to
    say whether a thing that is asked for is there. Of a linear map, whose tokens lie between words, it has to learn that.
    """

    def __init__(self, feature_width: int, words: int, width: int, image_tokens: int) -> None:
        """Start at zero; `training.align` gives reader, words and positions their start."""
        super().__init__()
        self.norm = nn.LayerNorm(feature_width)
        self.reader = nn.Linear(feature_width, words)
        self.words = nn.Linear(words, width, bias=False)
        self.position = nn.Parameter(torch.zeros(image_tokens, width))
        for one in (self.reader.weight, self.reader.bias, self.words.weight):
            nn.init.zeros_(one)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [b, k, w] to image tokens [b, k, d], in float32."""
        return self.words(self.reader(self.norm(features.float())).softmax(-1)) + self.position
