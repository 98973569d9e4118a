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
    connector: Connector, features: Features, words: Words, embeddings: Tensor, spread: float, places: float, ridge: float,
    word_ridge: float, max_images: int
) -> None:
    """Fill the connector's projector and its table of places.

    Each image's words, weighed, are regressed on two means of its tokens: the plain one, which knows the background, and
    one in which a token counts by its squared distance from the image's median token, which knows the things, however
    small. The map then serves each token by itself. A word stands for the direction whose product with the embedding of that
    word is large and with those of all others small; the embeddings themselves, of which those of colours are nearly equal,
    would let each colour be read as any other. The offset of a place is the mean of what is said of the images whose
    things are there ("left", "top", of the corners "four").

    Args: embeddings [v, d] of the vocabulary; spread, the standard deviation that image tokens shall have; places, that of
        the offsets as a share of it; ridge, the penalty as a share of the features' mean variance; word_ridge, the same for
        the words' directions (the larger, the nearer to their embeddings); max_images, how many images are used at most
        (evenly spaced, so that memory is bounded).

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
    share = _shares(x)
    said = _centred(weights @ _directions(embeddings, word_ridge))  # [n, d]
    seen = [_centred(x.mean(1)), _centred((x * share[..., None]).sum(1))]  # [n, w] each
    weight = regress(torch.cat(seen), said.repeat(len(seen), 1), ridge)  # [w, d]
    gain = spread / (x @ weight).std()
    place = _centred(share.t() @ said / share.sum(0)[:, None])  # [k, d]
    with torch.no_grad():
        connector.projector.weight.copy_(weight.t() * gain)
        connector.projector.bias.copy_(-(mean @ weight) * gain)
        connector.position.copy_(place * (places * spread / place.std().clamp(min=1e-9)))  # of a single place there is nothing to say


def _directions(embeddings: Tensor, ridge: float) -> Tensor:
    """Give each word of [v, d] the direction in which it is told from the others, [v, d].

    Embeddings count as unit vectors u around their common mean, so that a long one counts no more than another; the
    directions are the rows of u (u'u + penalty)^-1, which without the penalty are the dual basis.
    """
    unit = F.normalize(embeddings - embeddings.mean(0), dim=-1)
    return torch.linalg.solve(_penalised(unit, ridge), unit.t().double()).t().float()


def _shares(x: Tensor) -> Tensor:
    """Give each of an image's tokens [n, k, w] its share of their squared distances from the median token, [n, k]."""
    distance = (x - x.median(1, keepdim=True).values).square().sum(-1) + 1e-6  # an image of equal tokens has none
    return distance / distance.sum(1, keepdim=True)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve ridge regression of y [n, d] on x [n, w], as a map [w, d] without offset.

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    return torch.linalg.solve(_penalised(x, ridge), (x.t() @ y).double()).float()


def _penalised(x: Tensor, ridge: float) -> Tensor:
    gram = (x.t() @ x).double()
    return gram + ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
