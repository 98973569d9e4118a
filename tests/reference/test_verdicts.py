"""Verdicts and intervals against scipy where they overlap, and against simulated methods whose true
difference is known."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from vltune.comparison import planning, scores, significance, studentized, variance
from vltune.comparison.estimates import estimate
from vltune.metrics.caption_metrics import bleu
from vltune.pipeline.randomness import numpy_generator

LEVEL = 0.05
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/power.py"


@pytest.fixture(scope="module")
def power() -> ModuleType:
    """The simulation whose tables stand in docs/evaluation.md."""
    spec = importlib.util.spec_from_file_location("power", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


@pytest.mark.parametrize("methods", [2, 3, 5, 12])
@pytest.mark.parametrize("freedom", [1.5, 2, 4, 7.3, 22, 60, 5000])
def test_the_studentized_range_is_scipys(methods: int, freedom: float) -> None:
    q = np.array([0.3, 2.0, 3.5, 5.0, 9.0])
    ours = studentized.survival(q, methods, np.full((5, 1), freedom), np.ones((5, 1)))
    assert ours == pytest.approx(stats.studentized_range.sf(q, methods, freedom), rel=2e-4, abs=1e-7)
    [quantile] = studentized.quantile(LEVEL, methods, np.array([[freedom]]), np.ones((1, 1)))
    assert stats.studentized_range.sf(quantile, methods, freedom) == pytest.approx(LEVEL, abs=1e-5)


@pytest.mark.parametrize("effect", [0.0, 0.3, 1.2])
def test_two_runs_are_scipys_paired_t_test_over_images(effect: float) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.exponential(size=30) + effect, rng.exponential(size=30)
    row = significance.compare(scores.means({"a": a[None], "b": b[None]}), LEVEL)[0]
    expected = stats.ttest_rel(a, b)
    assert row.p == pytest.approx(expected.pvalue, rel=1e-3, abs=1e-8)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval(1 - LEVEL)), rel=1e-4)


@pytest.mark.parametrize("seeds", [3, 5])
def test_without_variation_of_images_two_methods_are_scipys_paired_t_test_over_seeds(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    a, b = rng.normal(1, 0.1, size=(seeds, 1)), rng.normal(0.9, 0.1, size=(seeds, 1))
    row = significance.compare(scores.means({"a": a + np.zeros(40), "b": b + np.zeros(40)}), LEVEL)[0]
    expected = stats.ttest_rel(a[:, 0], b[:, 0])
    assert row.p == pytest.approx(expected.pvalue, rel=1e-3)
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval(1 - LEVEL)), rel=1e-4)


def test_without_moderation_methods_are_tukeys_test_of_the_two_way_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(variance, "PRIOR", 1e12)
    values = np.random.default_rng(8).normal(size=(4, 5)) + np.arange(4)[:, None]
    given = {f"m{i}": row[:, None] + np.zeros(30) for i, row in enumerate(values)}
    remainder = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    error = np.sqrt((remainder**2).sum() / (3 * 4) / 5)
    rows = significance.compare(scores.means(given), LEVEL)
    first, second = np.triu_indices(4, 1)
    q = np.abs(values.mean(1)[first] - values.mean(1)[second]) / error
    expected = stats.studentized_range.sf(q, 4, 12)
    assert [row.p_adjusted for row in rows] == pytest.approx(expected, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("effect", [0.0, 0.2, 0.4])
def test_p_values_of_images_are_near_those_of_the_exact_randomisation(effect: float) -> None:
    """Exchanging the methods image by image is exact for two runs; the t-test must say nearly the same."""
    rng = np.random.default_rng(5)
    easy = rng.exponential(size=60)
    a, b = easy + 0.6 * rng.exponential(size=60) + effect, easy + 0.6 * rng.exponential(size=60)
    expected = stats.permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", n_resamples=20_000,
        rng=np.random.default_rng(0),
    )
    row = significance.compare(scores.means({"a": a[None], "b": b[None]}), LEVEL)[0]
    assert row.p == pytest.approx(expected.pvalue, abs=0.02)


def test_p_values_of_bleu_are_near_those_of_the_exact_randomisation() -> None:
    given = bleu_statistics(60)
    both = np.concatenate((given["a"][0], given["b"][0]))

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return bleu_4(both[np.moveaxis(x, axis, -1)].sum(-2)) - bleu_4(both[np.moveaxis(y, axis, -1)].sum(-2))

    expected = stats.permutation_test(
        (np.arange(60), np.arange(60, 120)), difference, permutation_type="samples", n_resamples=20_000,
        rng=np.random.default_rng(0),
    )
    row = significance.compare(scores.corpus(given, bleu_4), LEVEL)[0]
    assert row.difference == pytest.approx(expected.statistic)
    assert 0.01 < row.p < 0.9
    assert row.p == pytest.approx(expected.pvalue, abs=0.02)


def test_intervals_are_near_scipys_bootstrap() -> None:
    rng = np.random.default_rng(5)
    a, b, counts = rng.exponential(size=200), rng.exponential(size=200), rng.integers(1, 5, size=200)
    row = significance.compare(
        scores.ratios({"a": (a * counts)[None], "b": (b * counts)[None]}, counts), LEVEL
    )[0]
    expected = stats.bootstrap(
        (a * counts, b * counts, counts), lambda x, y, n, axis: (x.sum(axis) - y.sum(axis)) / n.sum(axis),
        paired=True, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval
    assert (row.low, row.high) == pytest.approx(tuple(expected), abs=0.05 * (row.high - row.low))
    mean = estimate(scores.means({"a": a[None]}), LEVEL)["a"]
    expected = stats.bootstrap(
        (a,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (mean.low, mean.high) == pytest.approx(tuple(expected), abs=0.05 * (mean.high - mean.low))


# Twice the simulation's standard error at 5 % is added to each limit.
WORLDS = 500
SLACK = 2 * (LEVEL * (1 - LEVEL) / WORLDS) ** 0.5


@pytest.mark.parametrize(("setting", "most_false", "least_power"), [
    ({"methods": 2, "seeds": 3}, 0.06, 0.50), ({"methods": 3, "seeds": 3}, 0.06, 0.55),
    ({"methods": 5, "seeds": 3}, 0.06, 0.55), ({"methods": 5, "seeds": 3, "ratio": 3.0}, 0.10, 0.05),
    ({"methods": 5, "seeds": 3, "effects": "skewed"}, 0.06, 0.57),
    ({"methods": 5, "seeds": 3, "effects": "heavy-tailed"}, 0.06, 0.57),
    ({"methods": 3, "seeds": 10}, 0.06, 0.99), ({"methods": 4, "seeds": 1, "spread": 0.0}, 0.06, 0.99),
    ({"methods": 4, "seeds": 2, "spread": 0.0, "images": 60}, 0.06, 0.7),
    ({"methods": 4, "seeds": 3, "spread": 0.0, "images": 60}, 0.06, 0.5),
])
def test_false_words_coverage_and_power(power: ModuleType, setting: dict, most_false: float,
                                        least_power: float) -> None:
    shares = power.simulate(power.Setting(**setting), WORLDS, power_worlds=300)
    assert shares.false <= most_false + SLACK
    assert shares.covered >= 0.94 - SLACK
    assert shares.power >= least_power


def test_methods_that_differ_by_the_margin_are_rarely_called_equivalent(power: ModuleType) -> None:
    setting = power.Setting(3, 5)
    words = [
        row.verdict
        for number in range(WORLDS)
        for row in significance.compare(power.world(setting, number, 0.08), LEVEL, margin=0.08)
        if row.a == "method 0"
    ]
    assert np.mean([word == "equivalent" for word in words]) <= LEVEL / 2
    assert np.mean([word == "worse" for word in words]) <= LEVEL / 2
    equal = [row.verdict for number in range(100)
             for row in significance.compare(power.world(setting, number), LEVEL, margin=0.08)]
    assert np.mean([word == "equivalent" for word in equal]) > 0.5


def test_with_fewer_than_three_seeds_the_same_worlds_would_give_false_words_about_methods(
    power: ModuleType,
) -> None:
    """Why such words are about runs."""
    shares = power.simulate(power.Setting(5, 1), 100, power_worlds=1)
    assert shares.false > 0.7


def test_seeds_drawn_with_replacement_give_too_many_false_words(power: ModuleType) -> None:
    """Why the Multi-Bootstrap is not used with three seeds."""
    shares = power.simulate(power.Setting(5, 3), 200, power.by_bootstrap, power_worlds=1)
    assert shares.false > 0.15


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_of_a_method_covers_its_mean(power: ModuleType, seeds: int) -> None:
    setting = power.Setting(4, seeds)
    held = [
        one.low <= 1 <= one.high
        for number in range(200)
        for one in estimate(power.world(setting, number), LEVEL).values()
    ]
    assert 0.935 <= np.mean(held) <= 0.99


def test_false_words_on_questions_of_methods_that_differ_in_all_but_accuracy() -> None:
    """Questions come in images: b answers all or none of an image's right, a each with the same chance."""
    found = []
    for number in range(WORLDS):
        rng = numpy_generator(number, "questions")
        counts, easy = rng.integers(0, 7, size=100), 0.1 + 0.8 * rng.beta(2, 2, size=100)
        given = {"a": rng.binomial(counts, easy)[None], "b": (counts * (rng.random(100) < easy))[None]}
        found.append(significance.compare(scores.ratios(given, counts), LEVEL)[0].verdict)
    better, worse = (np.mean([word == f"run {name}" for word in found]) for name in ("better", "worse"))
    assert better <= LEVEL
    assert worse <= LEVEL
    assert better + worse <= LEVEL + SLACK


@pytest.mark.parametrize(("methods", "seeds"), [(2, 6), (5, 4), (5, 8)])
def test_a_planned_difference_is_established_as_often_as_planned(
    power: ModuleType, methods: int, seeds: int
) -> None:
    setting = power.Setting(methods, seeds)
    # of exponential scores: of each method at an image, and of each of its runs
    pilot = planning.Spreads(power.SPREAD, power.METHOD_IMAGE * 2**0.5, power.RUN_IMAGE * 2**0.5)
    planned = planning.decided(pilot, methods, seeds, setting.images, LEVEL)
    better, within = [], []
    for number in range(300):
        rows = significance.compare(power.world(setting, number, planned.difference), LEVEL)
        better += [row.low > 0 for row in rows if row.a == "method 0"]
        rows = significance.compare(power.world(setting, number), LEVEL, margin=planned.margin)
        within += [row.within_margin for row in rows]
    assert np.mean(better) == pytest.approx(planning.POWER, abs=0.08)  # 300 worlds: a standard error of 2.3 %
    assert np.mean(within) == pytest.approx(planning.POWER, abs=0.06)
