"""Ridge regression in closed form, and the section of params.yaml that has its settings."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from vltune.pipeline.params import Section


class Align(Section):
    """Section `align`: the hyperparameters of the closed-form start.

    ridge: the penalty, as a share of the mean variance of the features. words: the largest size of the
    vocabulary that image tokens are mixtures of. std_exponent: how far the standard deviations of the words'
    logits are equalised: 0 not at all, 1 fully. logit_scale: the standard deviation of the word head's
    logits; the larger, the closer a token is to one word. scale: the factor on the word embeddings.
    position_scale: the standard deviation of the position offsets, relative to that of the word embeddings.
    tags: the number of tags of an image; 0 for none. tag_logit_scale: the factor on the tag head's logits.
    max_images: the largest number of training images that the regressions use.
    """

    ridge: float = Field(gt=0)
    words: int = Field(ge=2)
    std_exponent: float = Field(ge=0, le=1)
    logit_scale: float = Field(gt=0)
    scale: float = Field(gt=0)
    position_scale: float = Field(ge=0)
    tags: int = Field(ge=0, le=64)
    tag_logit_scale: float = Field(gt=0)
    max_images: int = Field(ge=2)


def centred(x: Tensor) -> Tensor:
    """Subtract the mean of each column of x [n, ...]."""
    return x - x.mean(0)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve the ridge regression of y [n, d] on x [n, w] without intercept: coefficients [w, d].

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    gram = (x.t() @ x).double()
    penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + penalty, (x.t() @ y).double()).float()
