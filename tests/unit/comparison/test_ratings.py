"""Statistics of people's ratings, against published examples and by hand."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from scipy import stats

from vltune.comparison import ratings

# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
# Krippendorff 2011, example D: four observers, twelve units.
X = np.nan
KRIPPENDORFF = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, X, X, X], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, X, 3],
    [X, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, X], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, X],
])


def drawn(seed: int, images: int = 40, raters: int = 3, mean: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    of_images, of_raters = rng.normal(size=(images, 1)), 0.3 * rng.normal(size=(1, raters))
    return mean + of_images + of_raters + rng.normal(size=(images, raters))


def test_mean_squares_are_those_of_the_published_example() -> None:
    assert ratings.mean_squares(SHROUT) == pytest.approx((11.24, 32.49, 1.02), abs=0.005)


def test_agreement_is_that_of_the_published_example() -> None:
    assert ratings.agreement(KRIPPENDORFF.T) == pytest.approx(0.815, abs=0.0005)
    published = {"nominal": 0.743, "interval": 0.849, "ratio": 0.797}
    for level, alpha in published.items():
        computed = krippendorff.alpha(reliability_data=KRIPPENDORFF, level_of_measurement=level)
        assert computed == pytest.approx(alpha, abs=0.0005)


@pytest.mark.parametrize("given", [np.ones((5, 3)), np.array([[1.0], [2.0]])])
def test_agreement_without_a_choice_is_undefined(given: np.ndarray) -> None:
    assert ratings.agreement(given) is None


def test_with_one_rater_the_interval_is_that_of_a_t_test() -> None:
    one_rater = drawn(0, raters=1, mean=0.2)
    low, high = stats.ttest_1samp(one_rater[:, 0], 0).confidence_interval(0.95)
    estimate = ratings.mean(one_rater, 0.05)
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert ratings.p_value(one_rater) == pytest.approx(stats.ttest_1samp(one_rater[:, 0], 0).pvalue)


def test_raters_who_agree_add_nothing_and_raters_who_differ_do() -> None:
    images = drawn(1, raters=1)
    equal = np.repeat(images, 3, axis=1)
    alone = ratings.half_width(images, 0.05)
    assert ratings.half_width(equal, 0.05) == pytest.approx(alone)
    of_raters = stats.t.ppf(0.975, 2) / np.sqrt(3)  # three raters, with a standard deviation of 1
    assert ratings.half_width(equal + np.array([-1, 0, 1]), 0.05) == pytest.approx(np.hypot(alone, of_raters))


def test_the_p_value_is_the_level_whose_interval_ends_at_zero() -> None:
    differences = drawn(2, mean=0.6)
    p = ratings.p_value(differences)
    assert 0.001 < p < 0.5
    assert ratings.mean(differences, p).low == pytest.approx(0, abs=1e-9)
    assert ratings.p_value(-differences) == pytest.approx(p)


@pytest.mark.parametrize(("differences", "p"), [
    (np.zeros((10, 3)), 1.0), (np.ones((10, 3)), ratings.SMALLEST_P), (np.ones((10, 1)), ratings.SMALLEST_P),
])
def test_differences_without_spread_have_a_p_value(differences: np.ndarray, p: float) -> None:
    assert ratings.p_value(differences) == p


def test_a_rater_who_is_strict_with_all_methods_changes_no_pair() -> None:
    methods = {name: drawn(i, mean=i / 4) for i, name in enumerate("abc")}
    strict = {name: given + np.array([0, -2, 0]) for name, given in methods.items()}
    for before, after in zip(ratings.pairs(methods, 0.05), ratings.pairs(strict, 0.05), strict=True):
        assert (before.a, before.b, before.verdict) == (after.a, after.b, after.verdict)
        assert before.p_both == pytest.approx(after.p_both)


def test_pairs_have_the_word_and_the_preferences() -> None:
    good = np.full((12, 2), 4.0)
    good[:3] = 2
    poor = np.full((12, 2), 2.0)
    poor[0] = 3
    [pair] = ratings.pairs({"good": good, "poor": poor}, 0.05)
    assert (pair.preferred, pair.other) == (9 / 12, 1 / 12)
    assert pair.p_preferred == pytest.approx(2 * (1 + 10) / 2**10)
    assert pair.difference.value == pytest.approx(17 / 12)
    assert pair.verdict == "better"
    [turned] = ratings.pairs({"poor": poor, "good": good}, 0.05)
    assert (turned.verdict, turned.p_both) == ("worse", pytest.approx(pair.p_both))
    [same] = ratings.pairs({"poor": poor, "again": poor}, 0.05)
    assert (same.verdict, same.p_preferred) == ("undecided", 1.0)


def test_a_difference_to_two_of_three_raters_is_a_word_about_these_raters() -> None:
    rng = np.random.default_rng(0)
    seen = 0.3 * rng.normal(size=(60, 3)) + np.array([1, 1, 0])
    [pair] = ratings.pairs({"a": seen, "b": np.zeros((60, 3))}, 0.05)
    assert pair.p_images < 1e-6
    assert pair.p_both > 0.05
    assert pair.difference.low < 0
    assert pair.verdict == "better (these raters)"
    assert ratings.word(-1, 0.01, 0.2, 0.05) == "worse (these raters)"


def test_holm_multiplies_by_the_pairs_that_are_left() -> None:
    corrected = ratings.holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert corrected.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
