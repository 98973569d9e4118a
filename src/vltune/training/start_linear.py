"""The start of a linear projector and of an MLP: in closed form, or at random.

Shapes: n images, k cells of an image, w feature width, h width of the last layer's input, v words, d
embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vltune.data.features import Features
from vltune.model.linear_projector import LinearProjector
from vltune.model.mlp_projector import MlpProjector
from vltune.model.word_projector import saliency_weights
from vltune.training.ridge import Align, centred, regress
from vltune.training.sample import normalised, spread
from vltune.training.vocabulary import Words, weights_of


def start(
    projector: LinearProjector, features: Features, words: Words, embeddings: Tensor, settings: Align,
    generator: torch.Generator,
) -> None:
    """Fit the last layer by ridge regression; the first one of an MLP is drawn at random and stays as drawn.

    Regressed is the mean of the embeddings of an image's words, weighted by tf-idf, on the last layer's
    inputs, pooled over the image in two means, the plain and the saliency-weighted one. The map is then
    applied to single features. Regression shrinks towards the mean; `_put` undoes it.

    Args: embeddings [v, d] of the vocabulary.
    Source: Hoerl and Kennard 1970, equation 2.1; Rahimi and Recht 2008, Weighted Sums of Random Kitchen
        Sinks, algorithm 1 (a fitted last layer on a random first one).
    """
    draw_first(projector, generator)
    rows = spread(words.ids, features, settings.max_images)
    x = normalised(features, [words.ids[i] for i in rows], projector.cells)
    table = settings.scale * embeddings
    target = weights_of(words, rows) @ table  # [n, d]
    with torch.no_grad():
        inputs = projector.hidden(x)  # [n, k, h]
        salient = (inputs * saliency_weights(x)[..., None]).sum(1)
        pooled = torch.cat((centred(inputs.mean(1)), centred(salient)))  # [2n, h]
        weight = regress(pooled, centred(target).repeat(2, 1), settings.ridge)
        _put(projector, inputs, weight, target.mean(0), centred(table).std())


def draw(
    projector: LinearProjector, x: Tensor, table: Tensor, settings: Align, generator: torch.Generator
) -> None:
    """Draw all layers at random, so that tokens have mean and size of the decoder's token embeddings.

    Args: x, normalised features [n, k, w] of some images, for the size; table, the decoder's token
        embeddings [vocabulary, d].
    Source: Mishkin and Matas 2016, All you need is a good init, algorithm 1 (the scale is measured on data).
    """
    draw_first(projector, generator)
    table = settings.scale * table
    with torch.no_grad():
        inputs = projector.hidden(x)
        weight = torch.randn(inputs.shape[-1], table.shape[1], generator=generator)
        _put(projector, inputs, weight, table.mean(0), centred(table).std())


def draw_first(projector: LinearProjector, generator: torch.Generator) -> None:
    """Draw the first layer of an MLP as torch's Linear does: uniform within 1 / sqrt(w)."""
    if isinstance(projector, MlpProjector):
        bound = projector.feature_width**-0.5
        with torch.no_grad():
            for parameter in projector.first.parameters():
                parameter.uniform_(-bound, bound, generator=generator)


def _put(projector: LinearProjector, inputs: Tensor, weight: Tensor, mean: Tensor, size: Tensor) -> None:
    """Fill the last layer with a weight [h, d], scaled so that the tokens of inputs [n, k, h] have the given
    mean [d], and the standard deviation `size` about it."""
    flat = inputs.flatten(0, 1)
    weight = weight * (size / (centred(flat) @ weight).std().clamp(min=1e-9))
    projector.last.weight.copy_(weight.t())
    projector.last.bias.copy_(mean - flat.mean(0) @ weight)
