"""Kendall's tau of metrics with ratings, by hand and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vltune.comparison.correlation import correlate, scores_of_results
from vltune.metrics import bootstrap


def by_definition(scores: list[float], ratings: list[float]) -> float:
    """Stuart's tau-c: twice (concordant - discordant) over n^2 (m - 1) / m."""
    pairs = [(a - b) * (x - y) for i, (a, x) in enumerate(zip(scores, ratings, strict=True))
             for b, y in zip(scores[:i], ratings[:i], strict=True)]
    m = min(len(set(scores)), len(set(ratings)))
    return 2 * float(np.sign(pairs).sum()) / (len(scores) ** 2 * (m - 1) / m)


def test_each_rating_is_an_observation() -> None:
    scores, given = np.array([0.1, 0.4, 0.3, 0.9]), np.array([[1, 2], [3, 3], [1, 3], [4, 5]])
    [row] = correlate({"metric": scores}, given, [0, 1, 2, 3], 0.05)
    flat = [0.1, 0.1, 0.4, 0.4, 0.3, 0.3, 0.9, 0.9], [1, 2, 3, 3, 1, 3, 4, 5]
    assert row.tau == pytest.approx(by_definition(*flat))
    assert row.low < row.tau < row.high


def test_the_interval_leaves_out_an_image_with_all_its_captions() -> None:
    rng = np.random.default_rng(0)
    scores, given, images = rng.normal(size=20), rng.integers(1, 6, size=(20, 2)), [i // 4 for i in range(20)]
    [row] = correlate({"metric": scores}, given, images, 0.1)
    kept = [[j for j in range(20) if j // 4 != i] for i in range(5)]
    without = np.array([
        by_definition(np.repeat(scores[j], 2).tolist(), given[j].ravel().tolist()) for j in kept
    ])
    error = np.sqrt(4 / 5 * ((without - without.mean()) ** 2).sum())
    assert row.high - row.tau == pytest.approx(stats.t.ppf(0.95, 4) * error)


def test_the_order_of_captions_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    scores, given, images = rng.normal(size=12), rng.integers(1, 6, size=(12, 2)), list("aabbccddeeff")
    order = rng.permutation(12)
    [row] = correlate({"metric": scores}, given, images, 0.05)
    [again] = correlate({"metric": scores[order]}, given[order], [images[i] for i in order], 0.05)
    assert (again.tau, again.low) == pytest.approx((row.tau, row.low))


def test_results_have_a_score_of_each_image() -> None:
    perfect, none = [8, 7, 6, 5, 8, 7, 6, 5, 8, 8], [0, 0, 0, 0, 8, 7, 6, 5, 8, 8]
    meteor = [8, 8, 2, 2, *([0] * 16), 0, 0, 0]
    per_image = {
        "CIDEr": [1.5, 0.0], "ROUGE-L": [0.7, 0.1], "BLEU": bootstrap.pack(np.array([perfect, none])),
        "METEOR": bootstrap.pack(np.array([meteor, meteor])),
    }
    scores = scores_of_results(per_image)
    assert list(scores) == ["CIDEr", "BLEU-4", "METEOR", "ROUGE-L"]
    assert scores["CIDEr"].tolist() == [1.5, 0.0]
    assert scores["BLEU-4"].tolist() == pytest.approx([1, 0], abs=1e-3)
    assert scores["METEOR"].tolist() == [0, 0]
