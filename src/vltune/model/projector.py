"""The kinds of projectors, and which of them a file of tensors belongs to."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vltune.model.linear_projector import LinearProjector
from vltune.model.mlp_projector import MlpProjector
from vltune.model.projector_interface import Projector
from vltune.model.word_projector import WordProjector

Kind = Literal["words", "linear", "mlp"]


def empty(
    name: Kind, feature_width: int, words: int, width: int, features: int, tags: int, extras: int
) -> Projector:
    """Build a projector from features of `feature_width` to embeddings of `width`, all its weights zero.

    Of the `features` of an image the last `extras` are no cells of the grid; `words` and `tags` are sizes of
    the kind `words` alone.
    """
    if name == "words":
        return WordProjector(feature_width, words, width, features, tags, extras)
    return (MlpProjector if name == "mlp" else LinearProjector)(feature_width, width, features, extras)


def fitting(
    tensors: dict[str, Tensor], feature_width: int, width: int, features: int, extras: int
) -> Projector:
    """Build the empty projector that tensors belong to: their names say its kind, their shapes its sizes.

    Where those are missing that would say it, words without tags are taken, one of them, and the tensors will
    be missed by whoever compares.
    """
    if "last.weight" in tensors:
        name: Kind = "mlp" if "first.weight" in tensors else "linear"
        return empty(name, feature_width, 0, width, features, 0, extras)
    words = tensors.get("word_head.bias", torch.empty(1))
    position = tensors.get("position", torch.empty(features))
    tags = max(0, len(position) - features)
    return empty("words", feature_width, len(words), width, features, tags, extras)
