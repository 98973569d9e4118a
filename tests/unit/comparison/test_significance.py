"""Intervals and words of pairs, and intervals of methods, on small cases worked by hand; wrong input."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from vltune.comparison import scores, significance, studentized, variance
from vltune.comparison.estimates import estimate
from vltune.comparison.scores import Metric
from vltune.comparison.variance import Images, Variance
from vltune.pipeline.errors import InputError

LEVEL = 0.05


def made(*means: float, seeds: int = 1, images: int = 40, spread: float = 0.0) -> dict[str, np.ndarray]:
    """Give methods a, b, ... scores [seeds, images] around the means; `spread` is over seeds."""
    rng = np.random.default_rng(0)
    return {name: mean + 0.1 * rng.standard_normal((seeds, images)) + spread * rng.standard_normal((seeds, 1))
            for name, mean in zip("abcdefgh", means, strict=False)}


def rows(metric: Metric, margin: float | None = None) -> dict[tuple[str, str], significance.Row]:
    return {(row.a, row.b): row for row in significance.compare(metric, LEVEL, margin)}


@pytest.mark.parametrize(("low", "high", "word"), [
    (0.1, 0.9, "better"), (0.01, 0.02, "better"), (-0.9, -0.1, "worse"), (-0.1, 0.19, "equivalent"),
    (-0.1, 0.2, "undecided"), (-0.2, 0.1, "undecided"), (0.0, 0.1, "equivalent"), (-0.3, 0.3, "undecided")])
def test_the_word(low: float, high: float, word: str) -> None:
    of_runs = {
        "better": "run better", "worse": "run worse", "equivalent": "runs equivalent",
        "undecided": "undecided",
    }
    assert significance.verdict(low, high, 0.2, "methods") == word
    assert significance.verdict(low, high, 0.2, "runs") == of_runs[word]
    assert significance.verdict(low, high, None, "methods") == word.replace("equivalent", "undecided")
    opposite = {"better": "worse", "worse": "better"}.get(word, word)
    assert significance.verdict(-high, -low, 0.2, "methods") == significance.opposite(word) == opposite


@pytest.mark.parametrize(("seeds", "about"), [(1, "run "), (2, "run "), (3, "")])
def test_rows_of_three_methods(seeds: int, about: str) -> None:
    found = rows(scores.means(made(1.0, 0.8, 0.8, seeds=seeds)), margin=0.15)
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    equivalent = "runs equivalent" if about else "equivalent"
    assert [row.verdict for row in found.values()] == [f"{about}better", f"{about}better", equivalent]
    best = found["a", "b"]
    assert best.difference == pytest.approx(0.2, abs=0.05)
    assert 0 < best.low < best.difference < best.high
    assert best.p < best.p_adjusted <= LEVEL
    assert rows(scores.means(made(0.8, 1.0, seeds=seeds)))["a", "b"].verdict == f"{about}worse"


def test_words_p_values_and_intervals_agree() -> None:
    """With the level set to a pair's p-value, an end of its interval is 0; and so on both sides of it."""
    metric = scores.means(made(1.0, 0.97, 0.9, 0.99, seeds=3, spread=0.02))
    for i, row in enumerate(significance.compare(metric, LEVEL)):
        assert (row.p_adjusted <= LEVEL) == (row.verdict in ("better", "worse"))
        for level, excluded in ((row.p_adjusted * 1.001, True), (row.p_adjusted * 0.999, False)):
            if level < 1:
                at = significance.compare(metric, level)[i]
                assert (not at.low <= 0 <= at.high) == excluded


def test_an_established_difference_may_be_within_the_margin() -> None:
    row = rows(scores.means(made(1.0, 0.9, seeds=3, images=400)), margin=0.5)["a", "b"]
    assert (row.verdict, row.within_margin) == ("better", True)


def test_more_methods_widen_the_interval_and_leave_the_difference() -> None:
    given = made(1.0, 0.97, 0.9, 0.8)
    alone = rows(scores.means({name: given[name] for name in "ab"}))["a", "b"]
    among = rows(scores.means(given))["a", "b"]
    assert (alone.difference, alone.p) == pytest.approx((among.difference, among.p))
    assert alone.p == pytest.approx(alone.p_adjusted)
    assert among.p_adjusted > alone.p_adjusted
    assert among.high - among.low > alone.high - alone.low


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_methods_are_undecided_with_p_1_or_equivalent(seeds: int) -> None:
    given = made(0.7, seeds=seeds)["a"]
    metric = scores.means({"a": given, "b": given.copy()})
    row = rows(metric)["a", "b"]
    assert (row.difference, row.low, row.high, row.p, row.p_adjusted) == (0, 0, 0, 1, 1)
    assert row.verdict == "undecided"
    assert rows(metric, margin=0.01)["a", "b"].within_margin


def test_rounding_is_no_difference() -> None:
    a = np.full((1, 40), 0.1)
    row = rows(scores.means({"a": a, "b": a + 1e-16}))["a", "b"]
    assert (row.difference, row.verdict) == (0, "undecided")


def test_a_difference_on_one_image_alone_is_undecided() -> None:
    a = np.zeros((1, 40))
    b = a.copy()
    b[0, 3] = 1
    row = rows(scores.means({"a": a, "b": b}))["a", "b"]
    assert row.p == pytest.approx(0.32, abs=0.01)
    assert row.verdict == "undecided"


@pytest.mark.parametrize(("images", "word"), [(1, "undecided"), (19, "undecided"), (20, "run better")])
def test_few_images_are_undecided_however_large_the_difference(images: int, word: str) -> None:
    row = rows(scores.means({"a": np.ones((1, images)), "b": np.zeros((1, images))}), margin=9.0)["a", "b"]
    assert (row.difference, row.verdict) == (1, word)
    assert (row.p, row.low, row.high) == ((1, -np.inf, np.inf) if word == "undecided" else (0, 1, 1))


def test_spread_over_seeds_leaves_a_difference_undecided() -> None:
    assert rows(scores.means(made(1.0, 0.8, seeds=3)))["a", "b"].verdict == "better"
    assert rows(scores.means(made(1.0, 0.8, seeds=3, spread=0.4)))["a", "b"].verdict == "undecided"


def test_what_a_seed_brings_to_all_methods_is_no_spread_of_a_difference() -> None:
    given = made(1.0, 0.9, 0.95, seeds=4, spread=0.02)
    block = np.array([[0.5], [-1.0], [2.0], [0.1]])
    plain, moved = (rows(scores.means(x)) for x in (given, {name: x + block for name, x in given.items()}))
    for pair, row in plain.items():
        assert (row.low, row.high, row.p) == pytest.approx((moved[pair].low, moved[pair].high, moved[pair].p))


def test_moderated_variances_by_hand() -> None:
    """Remainders of three methods and three seeds: rows sum to 0, columns too.

    Mean squares w: (1+1)/2 / (2/3) = 1.5; 1.5; 0. Their mean W is 1. Moderated with 2 own degrees of freedom
    and 4 prior ones: (2 * 1.5 + 4) / 6 = 7/6, 7/6, 4/6.
    """
    remainder = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    values = remainder + np.array([[5.0], [6.0], [7.0]]) + np.array([1, 2, 9])
    first, second = np.triu_indices(3, 1)
    found = variance.of_seeds(values, first, second)
    assert found.value.tolist() == pytest.approx([14 / 6, 11 / 6, 11 / 6])
    # shares of the pair's variance: 1/3 + 4/9 for its own methods, 4/9 for the third
    parts = np.array([7 / 9 * 7 / 6, 7 / 9 * 7 / 6, 4 / 9 * 4 / 6])
    total, alike = parts.sum(), 1 / 4
    spread = (1 - alike) * (parts**2).sum() + alike * total**2
    assert found.freedom[0] == pytest.approx(2 * total**2 / spread)


def test_two_methods_are_the_paired_t_test_and_equal_spreads_nearly_the_two_way_table() -> None:
    values = np.array([[1.0, 2.0, 4.0], [1.5, 1.0, 3.0]])
    found = variance.of_seeds(values, np.array([0]), np.array([1]))
    assert found.value[0] == pytest.approx(np.var([-0.5, 1.0, 1.0], ddof=1))
    assert found.freedom[0] == 2
    rng = np.random.default_rng(0)
    many = [variance.of_seeds(rng.standard_normal((5, 3)), np.array([0]), np.array([1])) for _ in range(4000)]
    assert np.mean([one.value[0] for one in many]) == pytest.approx(2, rel=0.03)
    assert 6 < np.mean([one.freedom[0] for one in many]) < 8, "the table of 5 methods and 3 seeds has 8"


def test_images_by_hand() -> None:
    # means over seeds 2, -2: 2 * 4 / (2 * 1); rest -1, 1 and 1, -1: 4 / (2 * 1 * (2 - 1) * 2)
    assert variance.of_images(np.array([[1.0, -1.0], [3.0, -3.0]])) == Images(4.0, 1.0)
    assert variance.of_images(np.ones((2, 1))) == Images(0.0, 0.0)
    assert variance.of_images(np.array([[1.0, -1.0]])) == Images(1.0, 0.0)


def test_parts_by_hand() -> None:
    seeds, images = Variance(np.array(3.0), np.array(2.0)), Images(np.array(1.5), np.array(0.5))
    found = variance.combined(seeds, images, 11)
    assert (found.total, found.shares.tolist(), found.freedom.tolist()) == (4, [0.75, 0.25], [2, 10])
    less = variance.combined(seeds._replace(value=np.array(0.2)), images, 11)
    assert less.total == 1.5, "not below what images contribute"


def test_one_seed_is_students_t_over_the_images() -> None:
    given = made(1.0)
    found = estimate(scores.means(given), LEVEL)["a"]
    half = 2.0227 * given["a"].std(ddof=1) / 40**0.5  # t(39) at 97.5 %
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), rel=1e-4)
    assert (found.mean, found.sd) == (pytest.approx(given["a"].mean()), None)


def test_mean_spread_and_interval_of_seeds_without_images() -> None:
    # one image: nothing is known of images, so the interval is Student's t over seeds
    found = estimate(scores.means({"a": np.array([[1.0], [2.0], [3.0]])}), LEVEL)["a"]
    assert (found.mean, found.sd) == (2, 1)
    # t(2) at 97.5 %
    assert (found.low, found.high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), rel=1e-4)


def test_images_that_a_seed_has_right_count_once() -> None:
    rng = np.random.default_rng(1)
    # seeds differ by noise alone: 200 of them with 50 images each, which they share
    given = rng.standard_normal((200, 50)) + rng.standard_normal(50)
    found = estimate(scores.means({"a": given}), LEVEL)["a"]
    half = 2.0096 * given.mean(0).std(ddof=1) / 50**0.5  # t(49) at 97.5 %
    assert found.high - found.mean == pytest.approx(half, rel=0.02)


def test_questions_in_images_literally() -> None:
    counts = np.array([1, 3, 0])
    metric = scores.ratios({"a": np.array([[1, 2, 0]]), "b": np.array([[0, 3, 0]])}, counts)
    values, moved = variance.influences(metric)
    assert values.ravel().tolist() == [0.75, 0.75]
    # without the first image 2/3, without the second 1; mean 5/6; the image without a question takes no part
    assert moved[0].tolist() == [pytest.approx([1 / 6, -1 / 6])]
    other = scores.ratios({"a": np.array([[1, 3, 0]]), "b": np.array([[0, 3, 0]])}, counts)
    assert rows(other)["a", "b"].difference == 0.25


def test_questions_give_the_mean_over_images_where_each_has_as_many() -> None:
    given = made(1.0, 0.95, 0.9, seeds=2)
    of_questions = rows(scores.ratios({name: 3 * x for name, x in given.items()}, np.full(40, 3)))
    for pair, row in rows(scores.means(given)).items():
        other = of_questions[pair]
        assert (row.difference, row.low, row.high, row.p) == pytest.approx(
            (other.difference, other.low, other.high, other.p)
        )


def test_a_corpus_metric_is_scored_from_sums() -> None:
    def value(sums: np.ndarray) -> np.ndarray:
        return np.sqrt(sums[..., 0] / sums[..., 1])

    given = np.array([[[1, 2], [3, 2]], [[4, 2], [12, 2]]])  # [2 seeds, 2 images, 2 columns]
    values, moved = variance.influences(scores.corpus({"a": given, "b": given[::-1]}, value))
    assert values.tolist() == [[1, 2], [2, 1]]
    half = (1.5**0.5 - 0.5**0.5) / 2
    assert moved[0].tolist() == [pytest.approx([-half, half]), pytest.approx([-2 * half, 2 * half])]


def test_the_studentized_range_of_two_is_students_t() -> None:
    q = studentized.quantile(0.05, 2, np.array([[2.0], [9.0], [1e9]]), np.ones((3, 1))) / 2**0.5
    assert q.tolist() == pytest.approx([4.30265, 2.26216, 1.95996], rel=1e-5)


def test_parts_are_weighted_by_their_shares() -> None:
    q, freedom = np.array([3.0]), np.array([[2.0, 50.0]])
    alone = [studentized.survival(q, 4, freedom[:, [i]], np.ones((1, 1)))[0] for i in (0, 1)]
    both = studentized.survival(q, 4, freedom, np.array([[0.25, 0.75]]))[0]
    assert both == pytest.approx(0.25 * alone[0] + 0.75 * alone[1])


@pytest.mark.parametrize(("build", "message"), [
    (lambda: scores.means({}), "one method or more, got none"),
    (lambda: scores.means({"a": np.zeros(3)}),
     r"a: expected scores [seeds, images] with one or more of each, got shape (3,)"),
    (lambda: scores.means({"a": np.zeros((1, 0))}),
     "a: expected scores [seeds, images] with one or more of each, got shape (1, 0)"),
    (lambda: scores.means({"a": np.zeros((1, 3)), "b": np.zeros((1, 4))}),
     "b: expected the shape of a, (1, 3) for [seeds, images], got (1, 4)"),
    (lambda: scores.means({"a": np.zeros((2, 3)), "b": np.zeros((1, 3))}),
     "b: expected the shape of a"),
    (lambda: scores.means({"a": np.zeros((1, 2)), "b": np.array([[0, np.nan]])}),
     "b: expected finite numbers, got nan at seed 0, image 1"),
    (lambda: scores.means({"a": [["x", "y"]]}), "a: expected an array of numbers, got [['x', 'y']]"),
    (lambda: scores.means({"a": [[1], [1, 2]]}), "a: expected an array of numbers"),
    (lambda: scores.ratios({"a": np.ones((1, 2))}, np.array([1, 2, 3])),
     "counts: expected 2 finite numbers >= 0"),
    (lambda: scores.ratios({"a": np.ones((1, 2))}, np.array([1, -1])),
     "counts: expected 2 finite numbers >= 0"),
    (lambda: scores.ratios({"a": np.zeros((1, 2))}, np.array([0, 0])),
     "counts: expected 2 finite numbers >= 0, not all 0"),
    (lambda: scores.ratios({"a": np.ones((1, 2))}, np.array([1, 0])),
     "a: a sum other than 0 at an image with 0 questions"),
    (lambda: scores.corpus({"a": np.ones((1, 2))}, np.sum),
     "a: expected scores [seeds, images, columns]"),
    (lambda: estimate(scores.corpus({"a": np.ones((1, 2, 1))}, lambda x: np.inf * x[..., 0]), LEVEL),
     "a: the metric of these images, or of all but one of them, is not finite"),
    (lambda: estimate(scores.means(made(1.0)), 1.0), "level: expected a share between 0 and 1"),
    (lambda: significance.compare(scores.means(made(1.0)), LEVEL),
     "two methods or more to compare, got 1"),
    (lambda: significance.compare(scores.means(made(1.0, 1.0)), 0.0),
     "level: expected a share between 0 and 1"),
    (lambda: significance.compare(scores.means(made(1.0, 1.0)), LEVEL, 0.0),
     "margin: expected a difference above 0"),
])
def test_wrong_input(build: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        build()
