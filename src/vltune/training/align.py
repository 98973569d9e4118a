"""The closed-form start of the connector: image tokens made of the words of the captions.

A random projector gives the decoder noise, and it learns the form of captions while it ignores the image for hundreds
of steps. The start costs seconds: ridge regression of each image's words on its features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.data.words import Words
from vltune.model.connector import Connector, gist, shares
from vltune.model.decoder import Decoder
from vltune.sections import Align


def word_embeddings(words: Words, tokenizer: Tokenizer, decoder: Decoder) -> Tensor:
    """Embed each word of a vocabulary as the mean of its tokens' embeddings, a space in front: float32 [v, d]."""
    table = decoder.embedding.weight.detach().float().cpu()
    return torch.stack([table[ids].mean(0) for ids in tokenizer.encode_all([f" {word}" for word in words.vocabulary])])


def start(connector: Connector, features: Features, words: Words, embeddings: Tensor, settings: Align) -> None:
    """Fill the connector's reader and tagger, its words and its table of places.

    Each image's words, weighed, are regressed on two means of its features (`connector.gist`). The map then serves each
    feature by itself: its scores of the words are what the softmax is taken of. A frequent word's scores are spread more than
    a rare one's, and only they would be read; `evenness` is the power of the spread by which scores are divided. The offset
    of a place is the mean of what is said of the images whose things are there ("left", "top", of the corners "four"). For
    tags the two means side by side tell whether a word is said at all, in units of its inverse document frequency.

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
    whole = gist(x)  # [n, 2w]
    if connector.tagger is not None:
        _start_tagger(connector.tagger, whole, said > 0, settings)
    said = _centred(said)  # [n, v]
    mean = x.mean((0, 1))
    seen = _centred(whole).chunk(2, dim=1)  # [n, w] each
    reader = regress(torch.cat(seen), said.repeat(len(seen), 1), settings.ridge)  # [w, v]
    share = shares(x)
    x = x - mean
    reader = reader / (x @ reader).flatten(0, 1).std(0).clamp(min=1e-9) ** settings.evenness
    reader = reader * (settings.sharpness / (x @ reader).std().clamp(min=1e-9))
    table = settings.scale * embeddings
    place = _centred(share.t() @ (said @ table) / share.sum(0)[:, None])  # [k, d]
    with torch.no_grad():
        connector.reader.weight.copy_(reader.t())
        connector.reader.bias.copy_(-(mean @ reader))
        connector.words.weight.copy_(table.t())
        size = settings.places * table.std() / place.std().clamp(min=1e-9)  # a single place says nothing
        connector.position[:len(place)] = place * size


def _start_tagger(tagger: nn.Linear, whole: Tensor, said: Tensor, settings: Align) -> None:
    """Give the tagger its start: whole [n, 2w]; said, bool [n, v]."""
    share = said.float().mean(0)
    worth = -share.clamp(min=1 / len(said)).log()  # inverse document frequency
    weight = settings.tag_sharpness * regress(_centred(whole), _centred(said.float()) * worth, settings.ridge)
    with torch.no_grad():
        tagger.weight.copy_(weight.t())
        tagger.bias.copy_(settings.tag_sharpness * share * worth - whole.mean(0) @ weight)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve ridge regression of y [n, d] on x [n, w], as a map [w, d] without offset.

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    gram = (x.t() @ x).double()
    penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + penalty, (x.t() @ y).double()).float()
