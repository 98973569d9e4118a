"""A method by itself: its mean over seeds, the standard deviation, and the interval of the mean.

The interval uses the method's own seeds alone, so it does not depend on which other methods are compared. It
has its own confidence; the intervals of differences (`significance`) have theirs together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vltune.comparison import studentized, variance
from vltune.comparison.scores import Metric
from vltune.comparison.variance import Variance
from vltune.pipeline.errors import InputError

FEWEST_SEEDS = 3  # from which on intervals and words are about methods; below, about these runs


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds, standard deviation over seeds (None with
    one seed), and the ends of the interval of the mean."""

    mean: float
    sd: float | None
    low: float
    high: float


def estimate(metric: Metric, level: float) -> dict[str, Estimate]:
    """Give each method's mean over seeds, its spread, and its interval of confidence 1 - `level`.

    With fewer than three seeds the interval is about these trained models: it holds what another draw of test
    images would change. From three seeds on it holds what other seeds would change, too.

    Raises:
        InputError: a level not between 0 and 1, or the metric has no finite value for a method.

    Source: Student's t, for the parts of `variance.combined` as in `studentized.survival`.
    """
    check_level(level)
    values, moved = variance.influences(metric)
    numbers = zip(metric.parts, values, moved, strict=True)
    return {name: _estimate(by_seed, by_image, level) for name, by_seed, by_image in numbers}


def _estimate(values: np.ndarray, moved: np.ndarray, level: float) -> Estimate:
    seeds, images = moved.shape
    own = variance.of_images(moved)
    parts = variance.alone(own, images)
    if seeds >= FEWEST_SEEDS:
        over_seeds = Variance(values.var(ddof=1) / seeds, np.asarray(seeds - 1.0))
        parts = variance.combined(over_seeds, own, images)
    # the range of two is Student's |t| times the square root of 2
    [t] = studentized.quantile(level, 2, parts.freedom[None], parts.shares[None]) / np.sqrt(2)
    half = float(t * np.sqrt(parts.total))
    mean, sd = float(values.mean()), float(values.std(ddof=1)) if seeds > 1 else None
    return Estimate(mean, sd, mean - half, mean + half)


def check_level(level: float) -> None:
    """Check the share of intervals that may miss, and of verdicts that may be false.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level: expected a share between 0 and 1, such as 0.05, got {level}")
