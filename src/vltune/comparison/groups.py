"""Scores by group of test images, where the data set has two: with combinations that training images show,
and with others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vltune.comparison import per_image
from vltune.comparison.estimates import Estimate
from vltune.comparison.per_image import PerImage
from vltune.metrics.bootstrap import Evaluate

KEY = "unseen"  # of `per_image` in results files: whether an image shows a combination that training lacks
LABELS = {False: "combinations of the training images", True: "unseen combinations"}


@dataclass(frozen=True)
class Group:
    """The test images of a group: what they are, how many, and by metric and method the scores on them."""

    label: str
    images: int
    scores: dict[str, dict[str, Estimate]]


def split(
    methods: Mapping[str, Sequence[PerImage]], names: Sequence[str], settings: Evaluate
) -> list[Group]:
    """Score methods on each group of images by the metrics `names`; empty where images have no groups.

    CIDEr's document frequencies are those of all test images, so that the groups can be compared. A metric
    of questions that no image of a group has is left out.
    """
    flags = next(iter(methods.values()))[0].get(KEY)
    if not flags or len(set(flags)) == 1:
        return []
    groups = []
    for flag, label in LABELS.items():
        kept = [i for i, unseen in enumerate(flags) if unseen == flag]
        parts = {method: [_part(seed, kept) for seed in seeds] for method, seeds in methods.items()}
        first = next(iter(parts.values()))[0]
        scores = {name: per_image.estimates(name, parts, settings) for name in names
                  if per_image.images(name, first)}
        groups.append(Group(label, len(kept), scores))
    return groups


def _part(values: Any, kept: list[int]) -> Any:
    """Keep some images of every list, of lists in dictionaries too."""
    if isinstance(values, Mapping):
        return {name: _part(value, kept) for name, value in values.items()}
    return [values[i] for i in kept]
