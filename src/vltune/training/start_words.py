"""The start of a projector whose tokens are made of words: in closed form, or at random.

Shapes: n images, k cells of an image, w feature width, v words, d embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vltune.data.features import Features
from vltune.model.word_projector import WordProjector, global_pool, saliency_weights
from vltune.training.ridge import Align, centred, regress
from vltune.training.sample import normalised, spread
from vltune.training.vocabulary import Words, weights_of


def start(
    projector: WordProjector, features: Features, words: Words, embeddings: Tensor, settings: Align
) -> None:
    """Fill the projector's word head, tag head, word embeddings and position offsets, by ridge regression.

    Word head: the tf-idf weights of each image's words are regressed on two pooled features, the
    plain and the saliency-weighted mean (`global_pool`). The map is then applied to
    single features, as logits of a softmax over words. The logits of frequent words have larger
    standard deviations than those of rare ones, and would win everywhere; they are divided by
    their standard deviation to the power `std_exponent`. Position offsets: the saliency-weighted
    mean, over images, of the embedded words ("left", "top"). Tag head: whether a word occurs,
    times its inverse document frequency, is regressed on both means together. Of the features
    only the cells of the grid are used; the word head then reads extra tokens as it reads cells.

    Args: embeddings [v, d] of the vocabulary.

    Source: Hoerl and Kennard 1970, equation 2.1 (ridge); Merullo et al. 2023 for a linear map of the spaces.
    """
    rows = spread(words.ids, features, settings.max_images)
    x = normalised(features, [words.ids[i] for i in rows], projector.cells)
    weights = weights_of(words, rows)  # [n, v]
    pooled = global_pool(x)  # [n, 2w]
    if projector.tag_head is not None:
        _start_tag_head(projector.tag_head, pooled, weights > 0, settings)
    weights = centred(weights)
    mean = x.mean((0, 1))
    word_head = _word_head(x - mean, pooled, weights, settings)
    saliency = saliency_weights(x)  # [n, k]
    table = settings.scale * embeddings
    offset = centred(saliency.t() @ (weights @ table) / saliency.sum(0)[:, None])  # [k, d]
    with torch.no_grad():
        projector.word_head.weight.copy_(word_head.t())
        projector.word_head.bias.copy_(-(mean @ word_head))
        projector.words.weight.copy_(table.t())
        factor = settings.position_scale * table.std() / offset.std().clamp(min=1e-9)  # one position: std 0
        projector.position[:len(offset)] = offset * factor


def _word_head(x: Tensor, pooled: Tensor, weights: Tensor, settings: Align) -> Tensor:
    """Give the word head [w, v] for centred features [n, k, w], by regression on pooled features [n, 2w]."""
    means = centred(pooled).chunk(2, dim=1)  # [n, w] each
    word_head = regress(torch.cat(means), weights.repeat(len(means), 1), settings.ridge)
    word_head = word_head / (x @ word_head).flatten(0, 1).std(0).clamp(min=1e-9) ** settings.std_exponent
    return word_head * (settings.logit_scale / (x @ word_head).std().clamp(min=1e-9))


def _start_tag_head(tag_head: nn.Linear, pooled: Tensor, occurs: Tensor, settings: Align) -> None:
    """Fill the tag head from pooled features [n, 2w] and `occurs`, the words of each image, bool [n, v]."""
    frequency = occurs.float().mean(0)  # document frequency as a share of the images
    idf = -frequency.clamp(min=1 / len(occurs)).log()
    target = centred(occurs.float()) * idf
    weight = settings.tag_logit_scale * regress(centred(pooled), target, settings.ridge)
    with torch.no_grad():
        tag_head.weight.copy_(weight.t())
        tag_head.bias.copy_(settings.tag_logit_scale * frequency * idf - pooled.mean(0) @ weight)


def draw(
    projector: WordProjector, x: Tensor, embeddings: Tensor, settings: Align, generator: torch.Generator
) -> None:
    """Draw word head and tag head at random; the word embeddings [v, d] are those of the vocabulary.

    Both heads are drawn from a normal distribution, and scaled so that their logits have the standard
    deviation `logit_scale`, as those of the word head have it in the closed form. Offsets stay zero.

    Args: x, normalised features [n, k, w] of some images, for the scale.
    """
    heads = [(projector.word_head, x)]
    if projector.tag_head is not None:
        heads.append((projector.tag_head, global_pool(x)))
    with torch.no_grad():
        for head, inputs in heads:
            head.weight.normal_(generator=generator)
            head.weight.mul_(settings.logit_scale / head(inputs).std().clamp(min=1e-9))
        projector.words.weight.copy_(settings.scale * embeddings.t())
