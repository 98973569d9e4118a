"""The closed-form start of the connector: image tokens that point where the words of the captions lie.

A random projector gives the decoder noise, and it learns the form of captions while it ignores the image for hundreds
of steps. The start costs seconds: ridge regression of the embeddings of each image's words on its features.
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


def word_embeddings(words: Words, tokenizer: Tokenizer, decoder: Decoder) -> Tensor:
    """Embed each word of a vocabulary as the mean of its tokens' embeddings, a space in front: float32 [v, d]."""
    table = decoder.embedding.weight.detach().float().cpu()
    return torch.stack([table[ids].mean(0) for ids in tokenizer.encode_all([f" {word}" for word in words.vocabulary])])


def start(
    connector: Connector, features: Features, words: Words, embeddings: Tensor, spread: float, ridge: float, max_images: int
) -> None:
    """Fill the connector's projector.

    Each image's words, weighed, are regressed on two means of its tokens: the plain one, which knows the background, and
    one in which a token counts by its squared distance from the image's median token, which knows the things, however
    small. The map then serves each token by itself. Words are unit vectors around their common mean, so that a word with
    a long embedding counts no more than another.

    Args: embeddings [v, d] of the vocabulary; spread, the standard deviation that image tokens shall have; ridge, the
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
    mean = x.mean((0, 1))
    x = x - mean
    said = weights @ F.normalize(embeddings - embeddings.mean(0), dim=-1)  # [n, d]
    seen = [_centred(x.mean(1)), _centred(_things(x))]  # [n, w] each
    weight = regress(torch.cat(seen), _centred(said).repeat(len(seen), 1), ridge)  # [w, d]
    gain = spread / (x @ weight).std()
    with torch.no_grad():
        connector.projector.weight.copy_(weight.t() * gain)
        connector.projector.bias.copy_(-(mean @ weight) * gain)


def _things(x: Tensor) -> Tensor:
    """Average tokens [n, k, w] by their squared distance from the image's median token; gives [n, w]."""
    distance = (x - x.median(1, keepdim=True).values).square().sum(-1, keepdim=True) + 1e-6  # an image of equal tokens has none
    return (x * distance / distance.sum(1, keepdim=True)).sum(1)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve ridge regression of y [n, d] on x [n, w], as a map [w, d] without offset.

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    gram = (x.t() @ x).double()
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram, (x.t() @ y).double()).float()
