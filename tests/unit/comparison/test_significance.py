"""Intervals over seeds and images, pairs, Holm's correction and verdicts on small cases; wrong input."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from vltune.comparison import hierarchical, significance
from vltune.comparison.hierarchical import Metric
from vltune.metrics import bootstrap
from vltune.pipeline.errors import InputError

LEVEL, SAMPLES = 0.05, 1000


def scores(*means: float, seeds: int = 1, images: int = 40, spread: float = 0.0) -> dict[str, np.ndarray]:
    """Give methods a, b, ... scores [seeds, images] around the means; `spread` is over seeds."""
    rng = np.random.default_rng(0)
    return {name: mean + 0.1 * rng.standard_normal((seeds, images)) + spread * rng.standard_normal((seeds, 1))
            for name, mean in zip("abcdefgh", means, strict=False)}


def rows(metric: Metric) -> dict[tuple[str, str], significance.Row]:
    return {(row.a, row.b): row for row in significance.compare(metric, LEVEL, SAMPLES, 0)}


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04; never less than the one
    # before.
    assert significance.holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )
    assert significance.holm(np.array([0.6, 0.6])).tolist() == [1, 1]
    assert significance.holm(np.array([0.2])).tolist() == [0.2]


def test_p_value_counts_both_sides_and_the_difference_itself() -> None:
    reference = np.array([-3, -1, 0, 2])
    assert significance.p_value(2.0, reference, 0) == pytest.approx(3 / 5)
    assert significance.p_value(-4.0, reference, 0) == pytest.approx(1 / 5)
    assert significance.p_value(2 + 1e-12, reference, 1e-11) == pytest.approx(3 / 5), (
        "rounding makes no difference rare"
    )


@pytest.mark.parametrize(("difference", "p", "word"), [
    (0.1, 0.05, "better"), (-0.1, 0.05, "worse"), (0.1, 0.0500001, "tie"), (-0.1, 1.0, "tie"), (0.0, 0.001,
     "tie")])
def test_the_word(difference: float, p: float, word: str) -> None:
    assert significance.verdict(difference, p, 0.05) == word


@pytest.mark.parametrize("seeds", [1, 3])
def test_rows_of_three_methods(seeds: int) -> None:
    found = rows(hierarchical.means(scores(1.0, 0.8, 0.8, seeds=seeds)))
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [row.verdict for row in found.values()] == ["better", "better", "tie"]
    best = found["a", "b"]
    assert best.difference == pytest.approx(0.2, abs=0.05)
    assert 0 < best.low < best.difference < best.high
    assert best.p < best.p_holm <= LEVEL
    assert (
        significance.compare(hierarchical.means(scores(0.8, 1.0, seeds=seeds)), LEVEL, SAMPLES, 0)[0].verdict
        == "worse"
    )


def test_a_pair_does_not_depend_on_the_others() -> None:
    given = scores(1.0, 0.97, 0.9, 0.8, seeds=3)
    alone = rows(hierarchical.means({name: given[name] for name in "ab"}))["a", "b"]
    among = rows(hierarchical.means(given))["a", "b"]
    assert (alone.difference, alone.low, alone.high, alone.p) == (
        among.difference, among.low, among.high, among.p,
    )
    assert alone.p_holm <= among.p_holm


def test_the_same_numbers_again_and_others_with_another_seed() -> None:
    metric = hierarchical.means(scores(1.0, 0.98, seeds=2))
    assert significance.compare(metric, LEVEL, SAMPLES, 0) == significance.compare(metric, LEVEL, SAMPLES, 0)
    assert significance.compare(metric, LEVEL, SAMPLES, 0) != significance.compare(metric, LEVEL, SAMPLES, 1)


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_methods_tie_with_p_1(seeds: int) -> None:
    one = scores(0.7, seeds=seeds)["a"]
    row = rows(hierarchical.means({"a": one, "b": one.copy()}))["a", "b"]
    assert (row.difference, row.p, row.p_holm, row.verdict) == (0, 1, 1, "tie")
    if seeds == 1:
        assert (row.low, row.high) == (0, 0)


def test_a_difference_on_one_image_alone_is_a_tie() -> None:
    a = np.zeros((1, 40))
    b = a.copy()
    b[0, 3] = 1
    row = rows(hierarchical.means({"a": a, "b": b}))["a", "b"]
    assert (row.p, row.verdict) == (1, "tie")


def test_one_image_is_a_tie_however_large_the_difference() -> None:
    row = rows(hierarchical.means({"a": np.array([[1.0]]), "b": np.array([[0.0]])}))["a", "b"]
    assert (row.difference, row.low, row.high, row.p, row.verdict) == (1, 1, 1, 1, "tie")


def test_spread_over_seeds_turns_a_verdict_into_a_tie() -> None:
    assert rows(hierarchical.means(scores(1.0, 0.8, seeds=3)))["a", "b"].verdict == "better"
    assert rows(hierarchical.means(scores(1.0, 0.8, seeds=3, spread=0.4)))["a", "b"].verdict == "tie"


def test_one_seed_is_the_bootstrap_of_the_images() -> None:
    given = scores(1.0)
    found = hierarchical.estimate(hierarchical.means(given), LEVEL, SAMPLES, 0)["a"]
    expected = bootstrap.interval(bootstrap.means(bootstrap.draws(40, SAMPLES, 0), given["a"][0]), 0.95)
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.mean, found.sd) == (pytest.approx(given["a"].mean()), None)


def test_mean_spread_and_interval_of_seeds_without_images() -> None:
    # one image: nothing of it can be drawn, so the interval is Student's t
    given = np.array([[1.0], [2.0], [3.0]])
    found = hierarchical.estimate(hierarchical.means({"a": given}), LEVEL, 200_000, 0)["a"]
    assert (found.mean, found.sd) == (2, 1)
    # t(2) at 97.5 %
    assert (found.low, found.high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=0.03)


def test_images_that_a_seed_has_right_count_once() -> None:
    rng = np.random.default_rng(1)
    # seeds differ by noise alone
    given = hierarchical.means({"a": rng.standard_normal((200, 50)) + rng.standard_normal(50)})
    found = hierarchical.resample(given, SAMPLES, 0)["a"]
    assert found.noise == pytest.approx(1 / 50, rel=0.1)
    assert found.variance == pytest.approx(found.noise, rel=0.3)
    assert hierarchical.seed_effects([found], 0).std() < 0.3 * (found.variance / 200) ** 0.5


def test_seed_effects_of_two_methods_have_the_variance_of_both() -> None:
    none = np.zeros(20_000)
    one, other = (
        hierarchical.Resampled(np.zeros(41), none, variance, 0.0) for variance in (41 * 0.3, 41 * 0.1)
    )
    # Welch: f = 0.4² / (0.1 / 40)
    assert hierarchical.seed_effects([one, other], 0).var() == pytest.approx(0.4 * 61.5 / 59.5, rel=0.05)
    assert not hierarchical.seed_effects([hierarchical.Resampled(np.zeros(1), none, 0.0, 0.0)], 0).any()


def test_questions_in_images_literally() -> None:
    counts = np.array([1, 3, 0])
    metric = hierarchical.ratios({"a": np.array([[1, 2, 0]]), "b": np.array([[0, 3, 0]])}, counts)
    found = hierarchical.estimate(metric, LEVEL, SAMPLES, 0)
    assert (found["a"].mean, found["b"].mean) == (0.75, 0.75)
    assert (found["a"].low, found["a"].high) == pytest.approx((2 / 3, 1)), (
        "samples hold either image alone, never none"
    )
    assert rows(metric)["a", "b"].verdict == "tie"
    assert (
        rows(hierarchical.ratios({"a": np.array([[1, 3, 0]]), "b": np.array([[0, 3, 0]])}, counts))[
            "a", "b"
        ].difference
        == 0.25
    )


def test_questions_give_the_mean_over_images_where_each_has_as_many() -> None:
    given = scores(1.0, 0.95, 0.9, seeds=2)
    of_questions = rows(hierarchical.ratios({name: 3 * x for name, x in given.items()}, np.full(40, 3)))
    for pair, row in rows(hierarchical.means(given)).items():
        other = of_questions[pair]
        assert (row.difference, row.low, row.high, row.p) == pytest.approx(
            (other.difference, other.low, other.high, other.p)
        )


def test_a_corpus_metric_is_scored_from_sums() -> None:
    def value(sums: np.ndarray) -> np.ndarray:
        return np.sqrt(sums[..., 0] / sums[..., 1])

    given = np.array([[[1, 2], [3, 2]], [[4, 2], [12, 2]]])  # [2 seeds, 2 images, 2 columns]
    metric = hierarchical.corpus({"a": given, "b": given[::-1]}, value)
    found = hierarchical.resample(metric, SAMPLES, 0)["a"]
    assert found.values.tolist() == [1, 2]
    assert set(found.samples.round(6)) == {round(1.5 * x, 6) for x in (0.5**0.5, 1, 1.5**0.5)}
    assert rows(metric)["a", "b"].p == 1


@pytest.mark.parametrize(("build", "message"), [
    (lambda: hierarchical.means({}), "one method or more, got none"),
    (lambda: hierarchical.means({"a": np.zeros(3)}),
     r"a: expected scores [seeds, images] with one or more of each, got shape (3,)"),
    (lambda: hierarchical.means({"a": np.zeros((1, 0))}),
     "a: expected scores [seeds, images] with one or more of each, got shape (1, 0)"),
    (lambda: hierarchical.means({"a": np.zeros((1, 3)), "b": np.zeros((1, 4))}),
     "b: expected the shape of a, (1, 3) for [seeds, images], got (1, 4)"),
    (lambda: hierarchical.means({"a": np.zeros((2, 3)), "b": np.zeros((1, 3))}),
     "b: expected the shape of a"),
    (lambda: hierarchical.means({"a": np.zeros((1, 2)), "b": np.array([[0, np.nan]])}),
     "b: expected finite numbers, got nan at seed 0, image 1"),
    (lambda: hierarchical.means({"a": [["x", "y"]]}), "a: expected an array of numbers, got [['x', 'y']]"),
    (lambda: hierarchical.means({"a": [[1], [1, 2]]}), "a: expected an array of numbers"),
    (lambda: hierarchical.ratios({"a": np.ones((1, 2))}, np.array([1, 2, 3])),
     "counts: expected 2 finite numbers >= 0"),
    (lambda: hierarchical.ratios({"a": np.ones((1, 2))}, np.array([1, -1])),
     "counts: expected 2 finite numbers >= 0"),
    (lambda: hierarchical.ratios({"a": np.zeros((1, 2))}, np.array([0, 0])),
     "counts: expected 2 finite numbers >= 0, not all 0"),
    (lambda: hierarchical.ratios({"a": np.ones((1, 2))}, np.array([1, 0])),
     "a: a sum other than 0 at an image with 0 questions"),
    (lambda: hierarchical.corpus({"a": np.ones((1, 2))}, np.sum),
     "a: expected scores [seeds, images, columns]"),
    (lambda: hierarchical.estimate(hierarchical.corpus({"a": np.ones((1, 2, 1))}, lambda x: np.inf * x[...,
     0]), LEVEL, SAMPLES, 0),
     "a: the metric of these images, or of a sample of them, is not finite"),
    (lambda: hierarchical.estimate(hierarchical.means(scores(1.0)), 1.0, SAMPLES, 0),
     "level: expected a share between 0 and 1"),
    (lambda: significance.compare(hierarchical.means(scores(1.0)), LEVEL, SAMPLES, 0),
     "two methods or more to compare, got 1"),
    (lambda: significance.compare(hierarchical.means(scores(1.0, 1.0)), 0.0, SAMPLES, 0),
     "level: expected a share between 0 and 1"),
    (lambda: significance.compare(hierarchical.means(scores(*[1.0] * 5)), LEVEL, 198, 0),
     "bootstrap_samples: expected 199 or more for 10 pairs at level 0.05, else every verdict would be a "
     "tie; got 198"),
])
def test_wrong_input(build: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        build()


def test_as_many_samples_as_needed_reach_a_verdict() -> None:
    found = significance.compare(hierarchical.means(scores(5.0, 4.0, 3.0, 2.0, 1.0)), LEVEL, 199, 0)
    assert {row.verdict for row in found} == {"better"}
