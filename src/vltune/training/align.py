"""The closed-form start of the connector: image tokens that point where the words of the captions lie.

A random projector gives the decoder noise, and it learns the form of captions while it ignores the image for hundreds
of steps. The start costs seconds: ridge regression of the directions of each image's words on its features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.data.words import Words
from vltune.model.connector import Connector
from vltune.model.decoder import Decoder


def word_directions(words: Words, tokenizer: Tokenizer, decoder: Decoder) -> Tensor:
    """Give each word of a vocabulary the direction of its embedding from the mean of all: float32 [v, d], length 1.

    A word of several tokens counts as their mean. Without the division by the length, rare tokens would count more.
    """
    table = decoder.embedding.weight.detach().float().cpu()
    ids = tokenizer.encode_all([f" {word}" for word in words.vocabulary])
    embeddings = torch.stack([table[one].mean(0) for one in ids])
    return F.normalize(embeddings - embeddings.mean(0), dim=-1)


def start(
    connector: Connector, features: Features, words: Words, directions: Tensor, scale: float, ridge: float, image_weight: float,
    max_images: int
) -> None:
    """Fill the connector's projector.

    Each image's words, weighed, are regressed on each of its tokens and, `image_weight` times as heavily, on the mean of
    its tokens: the first lets single tokens say what they show, the second lets them say it together.

    Args: directions [v, d] of the vocabulary; scale, the standard deviation that image tokens shall have; ridge, the
        penalty as a share of the features' mean variance; max_images, how many images are used at most (evenly spaced,
        so that memory is bounded).

    Source: Hoerl and Kennard 1970, equation 2.1 (ridge); Merullo et al. 2023 for a linear map between the two spaces.
    """
    chosen = np.linspace(0, len(words.ids) - 1, min(max_images, len(words.ids))).round().astype(int)
    known = [i for i in chosen if words.ids[i] in features.row]
    x = F.layer_norm(torch.from_numpy(features.take([words.ids[i] for i in known])).float(), (features.width,))  # [n, k, w]
    weights = torch.zeros(len(known), len(words.vocabulary))
    for row, i in enumerate(known):
        for word, weight in words.weights[i].items():
            weights[row, word] = weight
    targets = (weights - weights.mean(0)) @ directions  # [n, d]
    mean = x.mean((0, 1))
    x = x - mean
    heavy, light = image_weight**0.5, x.shape[1] ** -0.5
    rows = torch.cat((heavy * x.mean(1), light * x.flatten(0, 1)))  # [n + n * k, w]
    right = torch.cat((heavy * targets, light * targets.repeat_interleave(x.shape[1], 0)))
    weight = regress(rows, right, ridge)  # [w, d]
    gain = scale / (x @ weight).std()
    with torch.no_grad():
        connector.projector.weight.copy_(weight.t() * gain)
        connector.projector.bias.copy_(-(mean @ weight) * gain)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve ridge regression of y [n, d] on x [n, w], as a map [w, d] without offset.

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    gram = (x.t() @ x).double()
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram, (x.t() @ y).double()).float()
