"""Verdicts and intervals against scipy where they overlap, and against simulated methods whose true
difference is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from vltune.comparison import hierarchical, significance
from vltune.metrics import bootstrap
from vltune.metrics.caption_metrics import bleu
from vltune.pipeline.randomness import numpy_generator

LEVEL, METHODS, IMAGES = 0.05, "abcd", 60
# 400 times the level is whole, so that the p-value of a finite number of samples keeps the level
WORLDS, SAMPLES = 400, 399


def bleu_4(sums: np.ndarray) -> np.ndarray:
    return bleu.value(sums)[..., 3]


def bleu_statistics(images: int) -> dict[str, np.ndarray]:
    """Counts [1, images, 10] of two methods: words of a caption, its n-grams, and how many of those match."""
    rng, found = np.random.default_rng(4), {}
    for name, share in (("a", 0.9), ("b", 0.86)):
        words = rng.integers(6, 12, size=(images, 1))
        guess = words - np.arange(4)
        found[name] = np.concatenate((rng.binomial(guess, share), guess, words, words + 1), axis=1)[
            None
        ].astype(float)
    return found


@pytest.mark.parametrize("effect", [0.0, 0.3, 0.6])
def test_randomisation_of_a_mean_as_scipy_enumerates_it(effect: float) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.exponential(size=12) + effect, rng.exponential(size=12)
    expected = stats.permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", n_resamples=np.inf
    )
    row = significance.compare(hierarchical.means({"a": a[None], "b": b[None]}), LEVEL, 20_000, 0)[0]
    assert row.difference == pytest.approx(expected.statistic)
    assert row.p == pytest.approx(expected.pvalue, abs=0.012)


def test_randomisation_with_ties_as_scipy_enumerates_it() -> None:
    a, b = np.array([1, 1, 1, 0, 1, 0, 1, 1, 1, 0.3]), np.array([0, 0.3, 1, 0, 0, 1, 0, 0.6, 1, 0])
    expected = stats.permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", n_resamples=np.inf
    )
    row = significance.compare(hierarchical.means({"a": a[None], "b": b[None]}), LEVEL, 20_000, 0)[0]
    assert row.p == pytest.approx(expected.pvalue, abs=0.012)


def test_randomisation_of_bleu_as_scipy_enumerates_it() -> None:
    given = bleu_statistics(10)
    both = np.concatenate((given["a"][0], given["b"][0]))

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return bleu_4(both[np.moveaxis(x, axis, -1)].sum(-2)) - bleu_4(both[np.moveaxis(y, axis, -1)].sum(-2))

    expected = stats.permutation_test(
        (np.arange(10), np.arange(10, 20)), difference, permutation_type="samples", n_resamples=np.inf
    )
    row = significance.compare(hierarchical.corpus(given, bleu_4), LEVEL, 20_000, 0)[0]
    assert row.difference == pytest.approx(expected.statistic)
    assert 0.01 < row.p < 0.9
    assert row.p == pytest.approx(expected.pvalue, abs=0.012)


def test_intervals_as_scipys_percentile_bootstrap() -> None:
    rng = np.random.default_rng(5)
    a, b, counts = rng.exponential(size=80), rng.exponential(size=80), rng.integers(1, 5, size=80)
    row = significance.compare(
        hierarchical.ratios({"a": (a * counts)[None], "b": (b * counts)[None]}, counts), LEVEL, 10_000, 0
    )[0]
    expected = stats.bootstrap(
        (a * counts, b * counts, counts), lambda x, y, n, axis: (x.sum(axis) - y.sum(axis)) / n.sum(axis),
        paired=True, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval
    assert (row.low, row.high) == pytest.approx(tuple(expected), abs=0.02 * (row.high - row.low) + 0.005)
    mean = hierarchical.estimate(hierarchical.means({"a": a[None]}), LEVEL, 10_000, 0)["a"]
    expected = stats.bootstrap(
        (a,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (mean.low, mean.high) == pytest.approx(tuple(expected), abs=0.01)


def test_without_images_the_interval_of_two_methods_is_welchs() -> None:
    rng = np.random.default_rng(6)
    # one image: nothing of it can be drawn
    a, b = rng.normal(1, 0.1, size=(5, 1)), rng.normal(0, 0.4, size=(5, 1))
    row = significance.compare(hierarchical.means({"a": a, "b": b}), LEVEL, 100_000, 0)[0]
    expected = stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False).confidence_interval(0.95)
    assert (row.low, row.high) == pytest.approx(tuple(expected), abs=0.02)


def world(number: int, seeds: int, spread: tuple[float, ...], effect: float) -> dict[str, np.ndarray]:
    """Scores {method: [seeds, images]} of mean 1, and of 1 + effect for a.

    Added up are how easy an image is (for all methods), how easy for this method, what the seed brings to all
    images (`spread`, by method), and which images each trained model has right; all but the seeds' part are
    skewed, as scores are.
    """
    rng = numpy_generator(number, "world")

    def skewed(*shape: int) -> np.ndarray:
        return rng.exponential(size=shape) - 1

    easy = 1 + skewed(1, IMAGES)
    return {
        name: easy
        + 0.7 * skewed(1, IMAGES)
        + sd * rng.standard_normal((seeds, 1))
        + 0.5 * skewed(seeds, IMAGES)
        + effect * (name == "a")
        for name, sd in zip(METHODS, spread, strict=True)
    }


class Shares(NamedTuple):
    """Shares over the worlds: any false verdict, false `better` and p <= level by pair, and intervals that
    hold the truth."""

    any_false: float
    false_better: float
    rejected: float
    differences: float
    means: float


def simulate(seeds: int, spread: tuple[float, ...]) -> Shares:
    found = []
    for number in range(WORLDS):
        metric = hierarchical.means(world(number, seeds, spread, 0.0))
        rows = significance.compare(metric, LEVEL, SAMPLES, number)
        estimates = hierarchical.estimate(metric, LEVEL, SAMPLES, number).values()
        found.append(Shares(
            any(row.verdict != "tie" for row in rows), np.mean([row.verdict == "better" for row in rows]),
            np.mean([row.p <= LEVEL for row in rows]), np.mean([row.low <= 0 <= row.high for row in rows]),
            np.mean([one.low <= 1 <= one.high for one in estimates])))
    return Shares(*np.mean(found, axis=0))


# The standard error of a mean over the images is about 0.1 of a difference: seeds that bring nothing, as
# much, and much more.
@pytest.mark.parametrize(("seeds", "spread"), [
    (1, (0, 0, 0, 0)), (3, (0.1, 0.1, 0.1, 0.1)), (3, (0.5, 0.5, 0.5, 0.5)), (5, (0, 0.05, 0.2, 0.6))])
def test_false_verdicts_and_coverage_without_a_difference(seeds: int, spread: tuple[float, ...]) -> None:
    shares = simulate(seeds, spread)
    assert shares.any_false <= LEVEL
    assert shares.false_better <= LEVEL / 2
    assert shares.rejected <= LEVEL + 0.012, (
        "of one pair, without correction; twice the simulation's standard error"
    )
    assert 0.92 <= shares.differences <= 0.99
    assert 0.91 <= shares.means <= 0.99, "60 skewed scores: a percentile interval is a little narrow"


def test_false_verdicts_on_questions_of_methods_that_differ_in_all_but_accuracy() -> None:
    """Questions come in images: b answers all or none of an image's right, a each with the same chance."""
    found = []
    for number in range(WORLDS):
        rng = numpy_generator(number, "questions")
        counts, easy = rng.integers(0, 7, size=100), 0.1 + 0.8 * rng.beta(2, 2, size=100)
        given = {"a": rng.binomial(counts, easy)[None], "b": (counts * (rng.random(100) < easy))[None]}
        row = significance.compare(hierarchical.ratios(given, counts), LEVEL, SAMPLES, number)[0]
        found.append((row.verdict == "better", row.verdict == "worse", row.low <= 0 <= row.high))
    better, worse, covered = np.mean(found, axis=0)
    assert better <= LEVEL
    assert worse <= LEVEL
    assert better + worse <= LEVEL + 0.022, "twice the simulation's standard error"
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_real_difference_is_found(seeds: int) -> None:
    found = [
        row
        for number in range(60)
        for row in significance.compare(
            hierarchical.means(world(number, seeds, (0.05,) * 4, 0.9)), LEVEL, 999, number
        )
    ]
    assert np.mean([row.verdict == "better" for row in found if row.a == "a"]) > 0.8
    assert np.mean([row.verdict != "tie" for row in found if row.a != "a"]) <= LEVEL


def test_three_seeds_drawn_with_replacement_cover_too_rarely() -> None:
    """Why `hierarchical.seed_effects` draws from Student's t: the plain bootstrap of seeds and images, beside
    it."""
    plain, ours = [], []
    for number in range(WORLDS):
        given = world(number, 3, (0.5,) * 4, 0.0)["a"]
        by_seed = bootstrap.sums(bootstrap.draws(IMAGES, SAMPLES, number), given.T) / IMAGES
        drawn = numpy_generator(number, "plain").integers(0, 3, size=(SAMPLES, 3))
        low, high = bootstrap.interval(np.take_along_axis(by_seed, drawn, axis=1).mean(1), 1 - LEVEL)
        plain.append(low <= 1 <= high)
        one = hierarchical.estimate(hierarchical.means({"a": given}), LEVEL, SAMPLES, number)["a"]
        ours.append(one.low <= 1 <= one.high)
    assert np.mean(plain) < 0.85
    assert np.mean(ours) > 0.92
