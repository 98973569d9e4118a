"""From what a metric of captions counts of each image to its values with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vltune.metrics import bootstrap
from vltune.metrics.interface import CaptionMetric


@dataclass(frozen=True)
class Scores:
    """Each metric's value with its low and high end; what `comparison/per_image.py` reads: scores or
    statistics of each image; and how they were made, for the signature."""

    metrics: dict[str, Any]
    per_image: dict[str, Any]
    signature: dict[str, Any] = field(default_factory=dict)


def score(
    counted: Iterable[tuple[CaptionMetric, np.ndarray]], counts: np.ndarray, confidence: float
) -> Scores:
    """Score metrics, each with its statistics; `counts` are the draws of the bootstrap.

    A metric with scores is their mean over images. A metric with statistics is scored from their sum over
    images, in each sample again.
    """
    metrics: dict[str, dict[str, float]] = {}
    scores: dict[str, list[float]] = {}
    packed: dict[str, list[str]] = {}
    for metric, statistics in counted:
        if metric.value is None:
            values, samples = [statistics.mean()], bootstrap.means(counts, statistics)[:, None]
            scores[metric.key] = [round(float(x), bootstrap.DIGITS) for x in statistics]
        else:
            values, samples = (
                metric.value(statistics.sum(0)), metric.value(bootstrap.sums(counts, statistics)),
            )
            packed[metric.key] = bootstrap.pack(statistics)
        metrics |= {
            name: bootstrap.row(values[i], samples[:, i], confidence) for i, name in enumerate(metric.values)
        }
    return Scores(metrics, {**scores, **packed})
