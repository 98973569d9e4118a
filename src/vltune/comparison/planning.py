"""What further seeds or images would decide: from the spreads of a pilot, the smallest difference that
`compare` establishes, and the smallest margin within which it calls equal methods equivalent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtrinc

from vltune.comparison import studentized, variance
from vltune.comparison.estimates import FEWEST_SEEDS
from vltune.comparison.scores import Metric
from vltune.comparison.variance import Images, Variance
from vltune.pipeline.errors import InputError

POWER = 0.8  # the probability with which a planned difference is established
MOST_SEEDS = 200


@dataclass(frozen=True)
class Spreads:
    """Standard deviations, in units of the metric.

    `seeds` is that of a method's score over seeds, without what a seed brings to all methods and without what
    the images explain; `images` that of the difference of two methods over images; `runs` what two trained
    models differ by in addition at an image, seed by seed.
    """

    seeds: float
    images: float = 0.0
    runs: float = 0.0


@dataclass(frozen=True)
class Decided:
    """What so many seeds decide with probability POWER: a difference of at least `difference` is established,
    and equal methods are called equivalent within any margin of at least `margin`."""

    seeds: int
    difference: float
    margin: float


def spreads(metric: Metric) -> Spreads:
    """Take the spreads from a pilot: the mean over its methods and pairs; not a number for the seeds if there
    is one.

    Raises:
        InputError: the pilot has fewer than two methods or images.
    """
    values, moved = variance.influences(metric)
    methods, seeds, images = moved.shape
    if methods < 2 or images < 2:
        raise InputError(
            f"expected a pilot of two methods and two images or more, got {methods} and {images}"
        )
    first, second = np.triu_indices(methods, 1)
    total, shared = np.mean(variance.of_pairs(moved, first, second), axis=1) * images
    over_seeds = variance.remainder(values).mean() - shared * seeds / images / 2 if seeds > 1 else np.nan
    return Spreads(*np.sqrt(np.maximum([over_seeds, total - shared, shared * seeds], 0)).tolist())


def decided(pilot: Spreads, methods: int, seeds: int, images: int, level: float) -> Decided:
    """Predict what a comparison of this size decides.

    An interval is as long on either side as q estimated standard errors. A difference of d true ones is
    established with the probability that noncentral t with the noncentrality d exceeds q. Equal methods are
    called equivalent within d true ones if neither end of the interval is beyond, which is the same twice.

    Raises:
        InputError: fewer than two methods, three seeds or one image.

    Source: Julious 2004, Sample sizes for clinical trials with normal data, sections 3 and 5; Satterthwaite
    1946 (one number of degrees of freedom for seeds and images).
    """
    if methods < 2 or seeds < FEWEST_SEEDS or images < 1:
        raise InputError(
            f"expected two methods, {FEWEST_SEEDS} seeds and one image or more, got {methods}, {seeds} and "
            f"{images}"
        )
    at_image = pilot.runs**2 / images  # of a difference, and one seed
    of_seeds = Variance(np.array([(2 * pilot.seeds**2 + at_image) / seeds]),
                        np.array([variance.freedom_of_equals(methods, seeds)]))
    of_images = Images(np.array([pilot.images**2 / images + at_image / seeds]), np.array([at_image / seeds]))
    parts = variance.combined(of_seeds, of_images, images)
    error = float(np.sqrt(parts.total[0]))
    half = studentized.quantile(level, methods, parts.freedom, parts.shares)[0] / np.sqrt(2)
    freedom = 1 / (parts.shares**2 / parts.freedom).sum()
    beyond, within = (error * float(nctdtrinc(freedom, miss, half)) for miss in (1 - POWER, (1 - POWER) / 2))
    return Decided(seeds, beyond, within)


def needed(reached: Callable[[int], bool]) -> int | None:
    """Give the smallest number of seeds that reaches something, which more seeds reach too; None beyond
    MOST_SEEDS."""
    low, high = FEWEST_SEEDS, MOST_SEEDS
    if not reached(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low
