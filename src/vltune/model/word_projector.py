"""From image features to the decoder's embedding space: image tokens made of words.

Shapes: b images, k features of an image (the cells of the grid, then extra tokens of the encoder), t tags,
w feature width, v words, d embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vltune.model.projector_interface import Projector

# how much less likely a word is once it is a tag: by the eighth power of what it was short of
REPEAT_PENALTY = 8.0


class WordProjector(Projector):
    """A token of each feature, a mixture of words with an offset
    for its place; behind them the image's tags, a word each.

    So an image token is made of words that the decoder knows, and what it can do with a text it can do with
    an image, as to say whether a thing that is asked for is there. Of a linear map, whose tokens lie between
    words, it has to learn that. Tags say what no feature can alone, as how many of a thing there are.

    Source: Huang et al. 2023 (Tag2Text), for tags in front of a caption; Ploetz and Roth 2018, section 3.2,
    for the k largest as a sequence of softmaxes, each without what came before.
    """

    def __init__(
        self, feature_width: int, words: int, width: int, features: int, tags: int, extras: int = 0
    ) -> None:
        """Start at zero; `training.align` gives word head, tag head, words and positions their start.

        Args: extras, how many of the `features` are no cells of the grid: the last ones.
        """
        super().__init__(feature_width, features, tags, extras)
        self.norm = nn.LayerNorm(feature_width)
        self.word_head = nn.Linear(feature_width, words)
        self.tag_head = nn.Linear(2 * feature_width, words) if tags else None
        self.words = nn.Linear(words, width, bias=False)
        self.position = nn.Parameter(torch.zeros(features + tags, width))
        for name, parameter in self.named_parameters():
            if not name.startswith("norm."):
                nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [b, k, w] to image tokens [b, k + t, d], in float32."""
        x = self.norm(features.float())
        read = self.word_head(x).softmax(-1)  # [b, k, v]
        if self.tag_head is not None:
            scores = self.tag_head(global_pool(x[:, :self.cells]))
            read = torch.cat((read, relaxed_top_k(scores, self.tags)), dim=1)
        return self.words(read) + self.position


def global_pool(x: Tensor) -> Tensor:
    """Sum up features [b, k, w] in two means [b, 2w].

    The plain one knows the background; in the other a feature counts by its squared distance from the image's
    median feature, so that it knows the things, however small.
    """
    share = saliency_weights(x.detach())
    return torch.cat((x.mean(1), (x * share[..., None]).sum(1)), dim=-1)


def saliency_weights(x: Tensor) -> Tensor:
    """Give each of an image's features [b, k, w] its share of
    their squared distances from the median feature, [b, k]."""
    median = x.sort(1).values[:, (x.shape[1] - 1) // 2]  # torch.median is not deterministic on a GPU
    distance = (x - median[:, None]).square().sum(-1) + 1e-6  # an image of equal features has none
    return distance / distance.sum(1, keepdim=True)


def relaxed_top_k(scores: Tensor, count: int) -> Tensor:
    """Choose the `count` words of the highest scores [b, v],
    one after the other, as weights of words [b, count, v]."""
    chosen = []
    for _ in range(count):
        chosen.append(scores.softmax(-1))
        scores = scores + REPEAT_PENALTY * torch.log1p(-chosen[-1].clamp(max=1 - 1e-6))
    return torch.stack(chosen, dim=1)
