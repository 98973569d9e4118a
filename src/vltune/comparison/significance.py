"""Is one method better than another? Paired differences over
the same images, p-values, Holm's correction, and the word.

What a verdict covers depends on the seeds. With one seed it is about these two trained models on images like
these: the p-value is a randomisation test of the images, and another training of either method may turn it.
With several seeds it is about the methods as they are trained here: what the seeds bring is added to what the
randomisation brings, by Student's t with few degrees of freedom (`hierarchical.seed_effects`), because
drawing three seeds with replacement would call up to four times as many differences real as it should. Seeds
are not paired: seed 0 of one method has nothing in common with seed 0 of another. Two seeds say little,
whatever the test; simulations in the tests show that the share of false verdicts stays at or below the level.
No number of seeds covers other training images, learning rates or base models.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np

from vltune.comparison import hierarchical
from vltune.comparison.hierarchical import Metric
from vltune.metrics import bootstrap
from vltune.pipeline.errors import InputError
from vltune.pipeline.randomness import numpy_generator

# relative: what sums lose to their order of addition lies below, so equal values count as equal
ROUNDING = 1e-10


@dataclass(frozen=True)
class Row:
    """How method a compares with method b: a - b, its interval,
    p-values before and after the correction, and the word.

    `verdict` is `better` (a is), `worse` or `tie`, which means: no difference
    was shown, and the interval says how large one may be. The word follows
    from `p_holm`; the interval is of this pair alone, without correction.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: str


def compare(metric: Metric, level: float, samples: int, seed: int) -> list[Row]:
    """Compare all pairs of the metric's methods, in their order, with `samples` samples drawn from `seed`.

    `level` is the share of false verdicts that is accepted, for all pairs together, such as 0.05; the
    intervals have the confidence 1 - level. A pair's difference, interval and p-value do not depend on which
    other methods are compared.

    Raises:
        InputError: fewer than two methods, a level not between 0
            and 1, or too few samples for a verdict to be possible.

    Source: Riezler and Maxwell 2005, On some pitfalls in automatic
    evaluation and significance testing for MT; Holm 1979.
    """
    pairs = list(combinations(metric.parts, 2))
    _check(len(metric.parts), len(pairs), level, samples)
    resampled = hierarchical.resample(metric, samples, seed)
    flips = draw_flips(next(iter(metric.parts.values())).shape[1], samples, seed)
    moved = {name: hierarchical.summed(flips, parts) for name, parts in metric.parts.items()}
    rows = []
    for a, b in pairs:
        first, second = resampled[a], resampled[b]
        effects = hierarchical.seed_effects([first, second], seed)
        interval = bootstrap.interval(first.samples - second.samples + effects, 1 - level)
        difference = first.values.mean() - second.values.mean()
        reference = _exchanged(metric, a, b, moved) + effects
        size = abs(first.values.mean()) + abs(second.values.mean())
        rows.append((float(difference), *interval, p_value(difference, reference, ROUNDING * size)))
    corrected = holm(np.array([row[3] for row in rows]))
    return [
        Row(a, b, *row, float(p), verdict(row[0], float(p), level))
        for (a, b), row, p in zip(pairs, rows, corrected, strict=True)
    ]


def draw_flips(images: int, samples: int, seed: int) -> np.ndarray:
    """Draw for which images the two methods change places: 0 or 1, evenly, [samples, images]."""
    return numpy_generator(seed, "randomisation").integers(0, 2, size=(samples, images), dtype=np.int8)


def p_value(difference: float, reference: np.ndarray, slack: float) -> float:
    """Give the two-sided p-value: the share of the reference
    [samples], the difference itself added, that is as far from 0.

    Source: Phipson and Smyth 2010, Permutation p-values should never be zero (the +1).
    """
    return float((1 + (np.abs(reference) >= abs(difference) - slack).sum()) / (1 + len(reference)))


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values [pairs] so that the chance of any false verdict among them stays at the level.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]), 1)
    return corrected


def verdict(difference: float, p: float, level: float) -> str:
    """Say the word for a difference a - b with its corrected p-value: `better`, `worse` or `tie`."""
    if p > level or difference == 0:
        return "tie"
    return "better" if difference > 0 else "worse"


def _exchanged(metric: Metric, a: str, b: str, moved: dict[str, np.ndarray]) -> np.ndarray:
    """Give the difference when the methods change places at
    the images of each flip, in all seeds at once; [samples].

    For a mean this flips the signs of the images' differences,
    averaged over seeds; a metric of the corpus is scored again.

    Source: Noreen 1989, Computer-intensive methods for testing hypotheses; Riezler and Maxwell 2005.
    """
    change = moved[b] - moved[a]
    first, second = metric.parts[a].sum(1) + change, metric.parts[b].sum(1) - change
    return (metric.value(first) - metric.value(second)).mean(1)


def _check(methods: int, pairs: int, level: float, samples: int) -> None:
    if methods < 2:
        raise InputError(f"expected two methods or more to compare, got {methods}")
    hierarchical.check_level(level)
    # the smallest p-value is 1 / (samples + 1), and Holm multiplies it by the pairs
    needed = ceil(round(pairs / level, 6)) - 1
    if samples < needed:
        raise InputError(f"bootstrap_samples: expected {needed} or more for {pairs} pairs at level {level}, "
                         f"else every verdict would be a tie; got {samples}")
