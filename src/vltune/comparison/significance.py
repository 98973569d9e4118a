"""Is a method better than another? Differences over the same images and seeds, with intervals that hold for
all pairs together, and the word that each interval says.

The intervals are simultaneous: the chance that any of them misses is the level, whatever is true. So every
word can be read off its interval, and all words hold together:

    better, worse   the interval excludes 0
    equivalent      it includes 0 and lies within the margin: a larger difference is excluded
    undecided       neither

With fewer than three seeds of each method nothing can be said of methods, only of these trained models; the
words then say so (`run better` and so on), and the intervals hold what other test images would change.

Nothing is drawn, so nothing depends on a random seed. No number of seeds covers other training images,
learning rates or base models.

Why a single step: step-down tests (Holm; Shaffer) have no simultaneous intervals that agree with their words,
and over all pairs of three methods or more they find no more (docs/evaluation.md has the table).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vltune.comparison import studentized, variance
from vltune.comparison.estimates import FEWEST_SEEDS, check_level
from vltune.comparison.scores import Metric
from vltune.comparison.variance import Parts
from vltune.pipeline.errors import InputError

FEWEST_IMAGES = 20  # below it the t distribution says little of scores that are skewed or only 0 and 1
# relative: what sums lose to their order of addition lies below, so equal values count as equal
ROUNDING = 1e-10
METHODS, RUNS = "methods", "runs"  # what a word is about
BETTER, WORSE, EQUIVALENT, UNDECIDED = "better", "worse", "equivalent", "undecided"
OF_RUNS = {BETTER: "run better", WORSE: "run worse", EQUIVALENT: "runs equivalent", UNDECIDED: UNDECIDED}
OPPOSITE = {BETTER: WORSE, WORSE: BETTER, OF_RUNS[BETTER]: OF_RUNS[WORSE], OF_RUNS[WORSE]: OF_RUNS[BETTER]}


class Family(NamedTuple):
    """The pairs that were declared before the results, empty for all, and for how many tasks they were."""

    pairs: Collection[tuple[str, str]]
    tasks: int

    def holds(self, a: str, b: str) -> bool:
        """Whether a pair belongs to the family, in either order."""
        return not self.pairs or (a, b) in self.pairs or (b, a) in self.pairs


@dataclass(frozen=True)
class Row:
    """How method a compares with method b: a - b, the ends of its interval, p-values before and after the
    correction over its family, the word, whether the interval lies within the margin, and whether the pair
    was declared.

    `p_adjusted` is at most the level exactly if the interval excludes 0. A difference may be both:
    established, and within the margin; the word is then `better` or `worse`.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    verdict: str
    within_margin: bool
    declared: bool

    @property
    def established(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def compare(
    metric: Metric, level: float, margin: float | None = None, family: Family | None = None
) -> list[Row]:
    """Compare all pairs of the metric's methods, in their order.

    `level` is the chance that any of the intervals misses its difference, such as 0.05, and so a limit for
    the chance of any false word: among the declared pairs of all tasks together, and among the pairs of this
    metric that were not declared. `margin` is the largest difference that does not matter; without it nothing
    is called equivalent. `family` are the declared pairs; without it no pair is declared. The variance over
    seeds is moderated over the methods, so intervals depend on which methods are compared; differences do
    not.

    Raises:
        InputError: fewer than two methods, a level not between 0 and 1, a margin that is not positive, or the
            metric has no finite value for a method.

    Source: Tukey 1953 and Kramer 1956 (all pairs), Hayter 1989, Pairwise comparisons of generally correlated
    means; Games and Howell 1976 (degrees of freedom by pair); Schuirmann 1987 (two one-sided tests); Dunn
    1961, Multiple Comparisons Among Means (chosen pairs, and several tasks).
    """
    _check(metric, level, margin)
    values, moved = variance.influences(metric)
    first, second = np.triu_indices(len(values), 1)
    differences = _differences(values, first, second)
    parts = _variance(values, moved, first, second)
    names = list(metric.parts)
    declared = _declared(family, names, first, second)
    p, adjusted, half = np.empty((3, len(first)))
    for own, size in ((declared, _size(family, len(values))), (~declared, (len(values), 1))):
        if own.any():
            p[own], adjusted[own], half[own] = _inference(differences[own], parts.of(own), *size, level)
    if moved.shape[-1] < FEWEST_IMAGES:
        p, adjusted, half = np.ones_like(p), np.ones_like(p), np.full_like(p, np.inf)
    about = METHODS if values.shape[1] >= FEWEST_SEEDS else RUNS
    return [
        _row(names[a], names[b], *row, margin, about)
        for a, b, *row in zip(
            first.tolist(), second.tolist(), differences.tolist(), half.tolist(), p.tolist(),
            adjusted.tolist(), declared.tolist(), strict=True)
    ]


def verdict(low: float, high: float, margin: float | None, about: str) -> str:
    """Give the word that an interval from `low` to `high` says about methods or runs."""
    if low > 0 or high < 0:
        word = BETTER if low > 0 else WORSE
    else:
        word = EQUIVALENT if _within(low, high, margin) else UNDECIDED
    return word if about == METHODS else OF_RUNS[word]


def opposite(word: str) -> str:
    """Give the word for the second method of a pair."""
    return OPPOSITE.get(word, word)


def _differences(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give the difference of the means of each pair; 0 where it is no more than rounding."""
    means = values.mean(1)
    differences, size = means[first] - means[second], np.abs(means[first]) + np.abs(means[second])
    return np.where(np.abs(differences) <= ROUNDING * size, 0.0, differences)


def _variance(values: np.ndarray, moved: np.ndarray, first: np.ndarray, second: np.ndarray) -> Parts:
    """Give the variance of each pair's difference, [pairs]: of images alone with fewer than three seeds."""
    images = variance.of_pairs(moved, first, second)
    seeds, number = moved.shape[1:]
    if seeds < FEWEST_SEEDS:
        return variance.alone(images, number)
    over_seeds = variance.of_seeds(values, first, second)
    return variance.combined(over_seeds._replace(value=over_seeds.value / seeds), images, number)


def _declared(family: Family | None, names: list[str], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Say of each pair whether the family holds it: bool [pairs]."""
    return np.array([family is not None and family.holds(names[a], names[b])
                     for a, b in zip(first, second, strict=True)])


def _size(family: Family | None, methods: int) -> tuple[int, int]:
    """Give the number of methods whose pairs a family holds, and how many times over it holds them."""
    if family is None or not family.pairs:
        return methods, family.tasks if family else 1
    return 2, len(family.pairs) * family.tasks


def _inference(differences: np.ndarray, parts: Parts, methods: int, times: int,
               level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give p-values of the pair alone and in its family, and half the length of the interval, [pairs].

    The family has all pairs of `methods` methods, `times` times over (Bonferroni).
    """
    error, distribution = np.sqrt(parts.total), (parts.freedom, parts.shares)
    certain = np.where(differences == 0, 0.0, np.inf)  # without any variance
    t = np.divide(np.abs(differences), error, out=certain, where=error > 0)
    finite = np.minimum(t, 1e6) * np.sqrt(2)
    half = studentized.quantile(level / times, methods, *distribution) / np.sqrt(2) * error
    alone, among = (studentized.survival(finite, number, *distribution) for number in (2, methods))
    return alone, np.minimum(times * among, 1.0), half


def _row(a: str, b: str, difference: float, half: float, p: float, adjusted: float, declared: bool,
         margin: float | None, about: str) -> Row:
    low, high = difference - half, difference + half
    return Row(a, b, difference, low, high, p, adjusted, verdict(low, high, margin, about),
               _within(low, high, margin), declared)


def _within(low: float, high: float, margin: float | None) -> bool:
    return margin is not None and -margin < low and high < margin


def _check(metric: Metric, level: float, margin: float | None) -> None:
    if len(metric.parts) < 2:
        raise InputError(f"expected two methods or more to compare, got {len(metric.parts)}")
    check_level(level)
    if margin is not None and not margin > 0:
        raise InputError(f"margin: expected a difference above 0 that does not matter, got {margin}")
