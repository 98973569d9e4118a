"""The closed-form start of the connector: image tokens made of the words of the captions.

A random projector gives the decoder noise, and it learns the form of captions while it ignores the image for hundreds
of steps. The start costs seconds: ridge regression of each image's words on its features.
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
from vltune.sections import Align


def word_embeddings(words: Words, tokenizer: Tokenizer, decoder: Decoder) -> Tensor:
    """Embed each word of a vocabulary as the mean of its tokens' embeddings, a space in front: float32 [v, d]."""
    table = decoder.embedding.weight.detach().float().cpu()
    return torch.stack([table[ids].mean(0) for ids in tokenizer.encode_all([f" {word}" for word in words.vocabulary])])


def start(connector: Connector, features: Features, words: Words, embeddings: Tensor, settings: Align) -> None:
    """Fill the connector's reader, its words and its table of places.

    Each image's words, weighed, are regressed on two means of its tokens: the plain one, which knows the background, and
    one in which a token counts by its squared distance from the image's median token, which knows the things, however
    small. The map then serves each token by itself: its scores of the words are what the softmax is taken of. A frequent
    word's scores are spread more than a rare one's, and only they would be read; `evenness` is the power of the spread by
    which scores are divided. The offset of a place is the mean of what is said of the images whose things are there ("left",
    "top", of the corners "four").

    Args: embeddings [v, d] of the vocabulary.

    Source: Hoerl and Kennard 1970, equation 2.1 (ridge); Merullo et al. 2023 for a linear map between the two spaces.
    """
    chosen = np.linspace(0, len(words.ids) - 1, min(settings.max_images, len(words.ids))).round().astype(int)
    known = [i for i in chosen if words.ids[i] in features.row]
    x = F.layer_norm(torch.from_numpy(features.take([words.ids[i] for i in known])).float(), (features.width,))  # [n, k, w]
    said = torch.zeros(len(known), len(words.vocabulary))
    for row, i in enumerate(known):
        for word, weight in words.weights[i].items():
            said[row, word] = weight
    said = _centred(said)  # [n, v]
    mean = x.mean((0, 1))
    x = x - mean
    share = _shares(x)
    seen = [_centred(x.mean(1)), _centred((x * share[..., None]).sum(1))]  # [n, w] each
    reader = regress(torch.cat(seen), said.repeat(len(seen), 1), settings.ridge)  # [w, v]
    reader = reader / (x @ reader).flatten(0, 1).std(0).clamp(min=1e-9) ** settings.evenness
    reader = reader * (settings.sharpness / (x @ reader).std().clamp(min=1e-9))
    table = settings.scale * embeddings
    place = _centred(share.t() @ (said @ table) / share.sum(0)[:, None])  # [k, d]
    with torch.no_grad():
        connector.reader.weight.copy_(reader.t())
        connector.reader.bias.copy_(-(mean @ reader))
        connector.words.weight.copy_(table.t())
        connector.position.copy_(place * (settings.places * table.std() / place.std().clamp(min=1e-9)))  # a single place says nothing


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
    gram = (x.t() @ x).double()
    penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + penalty, (x.t() @ y).double()).float()
