"""How well each metric of captions agrees with people: Kendall's tau of its scores with their ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from vltune.comparison.tasks import FURTHER
from vltune.metrics import tokenize
from vltune.metrics.bootstrap import unpack
from vltune.metrics.interface import CaptionMetric, caption_metrics


@dataclass(frozen=True)
class Correlation:
    """Kendall's tau-c of a metric with the ratings, from -1 to 1, and the ends of its interval."""

    metric: str
    tau: float
    low: float
    high: float


def scores_of_texts(captions: list[str], references: list[list[str]]) -> dict[str, np.ndarray]:
    """Score each caption on its own: {metric: [captions]}, for the metrics that tables list.

    CIDEr's document frequencies are those of all references that are passed, once for each caption.

    Raises:
        InputError: Java does not work.
    """
    words = iter(tokenize.tokenize([*captions, *(text for group in references for text in group)]))
    hypotheses = [next(words) for _ in captions]
    tokenized = [[next(words) for _ in group] for group in references]
    return {
        name: score for metric in caption_metrics()
        for name, score in _listed(metric, metric.statistics(hypotheses, tokenized)).items()
    }


def scores_of_results(per_image: Mapping[str, list]) -> dict[str, np.ndarray]:
    """Take the same from `per_image` of a results file: {metric: [images]}, in the order of its images."""
    scores = {}
    for metric in (*caption_metrics(), *(further for further in FURTHER if further.key in per_image)):
        values = per_image[metric.key]
        scores |= _listed(metric, np.array(unpack(values) if metric.value else values, dtype=float))
    return scores


def correlate(
    scores: Mapping[str, np.ndarray], ratings: np.ndarray, images: Sequence[object], level: float
) -> list[Correlation]:
    """Correlate scores {metric: [captions]} with ratings [captions, raters].

    Each rating is an observation of its own, paired with the score of its caption. `images` [captions] says
    which image a caption is of. The interval has the confidence 1 - `level`; it is the jackknife's, which
    leaves out one image with all its captions at a time.

    Source: Hessel et al. 2021, CLIPScore, appendix A (tau-c over all single ratings); Stuart 1953, The
    estimation and comparison of strengths of association in contingency tables; Efron and Tibshirani 1993,
    An introduction to the bootstrap, chapter 11 (the jackknife).
    """
    numbers = np.unique([str(image) for image in images], return_inverse=True)[1]
    return [_correlate(name, score, ratings, numbers, level) for name, score in scores.items()]


def _correlate(
    name: str, scores: np.ndarray, ratings: np.ndarray, numbers: np.ndarray, level: float
) -> Correlation:
    tau, n = _tau(scores, ratings), int(numbers.max()) + 1
    without = np.array([_tau(scores[numbers != i], ratings[numbers != i]) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    half = float(stats.t.isf(level / 2, n - 1) * error)
    return Correlation(name, tau, tau - half, tau + half)


def _tau(scores: np.ndarray, ratings: np.ndarray) -> float:
    repeated = np.repeat(scores, ratings.shape[1])
    return float(stats.kendalltau(repeated, ratings.ravel(), variant="c").statistic)


def _listed(metric: CaptionMetric, statistics: np.ndarray) -> dict[str, np.ndarray]:
    """Score each row of a metric's statistics, for its values that tables list."""
    scores = statistics[:, None] if metric.value is None else metric.value(statistics)
    return {name: scores[:, metric.values.index(name)] for name in metric.listed}
