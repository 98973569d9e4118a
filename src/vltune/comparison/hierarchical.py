"""A metric over seeds and images: mean, standard deviation over seeds, and an interval that covers both.

Images and seeds are crossed: the same test images serve every seed. A sample therefore draws the images once
for all seeds and methods, and the effect of the seeds apart from them (Owen 2007, The pigeonhole bootstrap).

The images are drawn with replacement, the seeds are not: a bootstrap of three seeds has two thirds of the
variance, and its 95 % interval covers 75 %. The variance over seeds is drawn from its scaled inverse
chi-square distribution, and the effect from a normal distribution with that variance, which gives Student's
t. The part of the variance over seeds that the draw of the images explains is subtracted, since it would
count twice. With one seed the interval is the image bootstrap of one trained model. """

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vltune.metrics import bootstrap
from vltune.pipeline.errors import InputError
from vltune.pipeline.randomness import numpy_generator

BLOCK = 1000  # samples that are summed at once: bounds the memory of the copy in floating point


@dataclass(frozen=True)
class Metric:
    """One metric of several methods over the same images; larger is better.

    `parts` is what each image brings, {method: [seeds, images, columns]}; `value` makes sums of it [...,
    columns] the metric's values [...].
    """

    parts: dict[str, np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds, standard deviation over seeds (None with
    one seed), and the ends of the interval of the mean."""

    mean: float
    sd: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Resampled:
    """A method's values by seed [seeds], their mean over seeds
    in each sample of the images [samples], and two variances.

    `variance` is that of the values over seeds; `noise` is the part of it that a draw of the images explains,
    because each trained model has other images right. Both are of one seed, and 0 where there is one seed.
    """

    values: np.ndarray
    samples: np.ndarray
    variance: float
    noise: float


def means(scores: Mapping[str, np.ndarray]) -> Metric:
    """Build a metric that is a mean over images, from scores {method: [seeds, images]}.

    CIDEr is one when its document frequencies come from all test references, whatever images a sample draws:
    the frequencies are then part of the metric, as the references are, and do not vary with the images drawn.

    Raises:
        InputError: a method's scores are no [seeds, images] of
            finite numbers, or their shape is another method's not.

    Source: Vedantam et al. 2015, CIDEr, section 3 (document frequencies over the whole set).
    """
    arrays = _checked(scores, ("seeds", "images"))
    return Metric({name: np.stack((x, np.ones_like(x)), axis=-1) for name, x in arrays.items()}, _ratio)


def ratios(sums: Mapping[str, np.ndarray], counts: np.ndarray) -> Metric:
    """Build a metric that is a mean over questions, which
    come in images, from sums {method: [seeds, images]}.

    `counts` [images] says how many questions each image has, the same for
    all methods. Images without a question (of this answer type, say) take
    no part: they are not drawn, so that no sample is without questions.

    Raises:
        InputError: as `means`, or the counts are no [images] of
            numbers >= 0, or all 0, or a sum stands where none is.

    Source: Cochran 1977, Sampling techniques, section 2.11 (the ratio of two sums over clusters).
    """
    arrays, n = _checked(sums, ("seeds", "images")), np.asarray(counts, dtype=float)
    images = next(iter(arrays.values())).shape[1]
    if n.shape != (images,) or not (n >= 0).all() or not np.isfinite(n).all() or not n.any():
        raise InputError(
            f"counts: expected {images} finite numbers >= 0, not all 0, as the sums have {images} images; "
            f"got shape {n.shape} {n[:5].tolist()}"
        )
    for name, x in arrays.items():
        if x[:, n == 0].any():
            raise InputError(f"{name}: a sum other than 0 at an image with 0 questions")
    return Metric(
        {name: np.stack(np.broadcast_arrays(x, n), axis=-1)[:, n > 0] for name, x in arrays.items()}, _ratio
    )


def corpus(statistics: Mapping[str, np.ndarray], value: Callable[[np.ndarray], np.ndarray]) -> Metric:
    """Build a metric of the corpus, from statistics {method:
    [seeds, images, columns]} whose sums `value` scores.

    `value` takes sums [..., columns] and gives [...], as `meteor.from_statistics` and an order of
    `bleu.from_statistics` do.

    Raises:
        InputError: as `means`.

    Source: Koehn 2004, Statistical significance tests for machine translation evaluation.
    """
    return Metric(_checked(statistics, ("seeds", "images", "columns")), value)


def estimate(metric: Metric, level: float, samples: int, seed: int) -> dict[str, Estimate]:
    """Give each method's mean over seeds, its spread, and its
    interval of confidence 1 - `level`, from `samples` samples.

    Raises:
        InputError: a level not between 0 and 1, or the metric has no finite value for a method.

    Source: Efron and Tibshirani 1993, section 13.3 (percentiles);
    for the samples see `resample` and `seed_effects`.
    """
    check_level(level)
    results = {}
    for name, method in resample(metric, samples, seed).items():
        low, high = bootstrap.interval(method.samples + seed_effects([method], seed), 1 - level)
        sd = float(np.sqrt(method.variance)) if len(method.values) > 1 else None
        results[name] = Estimate(float(method.values.mean()), sd, low, high)
    return results


def resample(metric: Metric, samples: int, seed: int) -> dict[str, Resampled]:
    """Draw the images with replacement, the same draws for all methods and seeds, and score each sample.

    Raises:
        InputError: the metric has no finite value for a method.

    Source: Owen 2007, The pigeonhole bootstrap; `noise` is the interaction's mean square of a two-way layout.
    """
    counts = bootstrap.draws(next(iter(metric.parts.values())).shape[1], samples, seed)
    results = {}
    for name, parts in metric.parts.items():
        values, drawn = metric.value(parts.sum(1)), metric.value(summed(counts, parts))
        if not (np.isfinite(values).all() and np.isfinite(drawn).all()):
            raise InputError(
                f"{name}: the metric of these images, or of a sample of them, is not finite; by seed "
                f"{values.tolist()}"
            )
        seeds = len(values)
        means_of_samples = drawn.mean(1)
        several = seeds > 1
        noise = (drawn - means_of_samples[:, None]).var(0).sum() / (seeds - 1) if several else 0.0
        results[name] = Resampled(
            values, means_of_samples, float(values.var(ddof=1)) if several else 0.0, float(noise)
        )
    return results


def summed(weights: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Sum parts [seeds, images, columns] with the weights
    [samples, images]; gives [samples, seeds, columns]."""
    by_image = np.ascontiguousarray(np.moveaxis(parts, 1, 0))
    return np.concatenate(
        [bootstrap.sums(weights[i : i + BLOCK], by_image) for i in range(0, len(weights), BLOCK)]
    )


def seed_effects(methods: list[Resampled], seed: int) -> np.ndarray:
    """Draw what the choice of seeds adds to the mean over seeds
    of one method, or to the difference of two; gives [samples].

    The variance is V = sum of variance / seeds over the methods. Its degrees of freedom
    f are s - 1 for one method and Welch's for two, whose spreads may differ. A draw has
    the variance V f / chi2(f), less the noise that the images explain, and not below 0.
    Without the last step it would be Student's t with f degrees of freedom.

    Source: Welch 1947, The generalization of Student's problem when several
    different population variances are involved; Hannig, Iyer and Patterson
    2006, Fiducial generalized confidence intervals (the draws of a variance).
    """
    samples = len(methods[0].samples)
    shares = np.array([method.variance / len(method.values) for method in methods])
    if not shares.any():
        return np.zeros(samples)
    freedom = shares.sum() ** 2 / sum(
        share**2 / (len(method.values) - 1) for share, method in zip(shares, methods, strict=True) if share
    )
    noise = sum(method.noise / len(method.values) for method in methods)
    rng = numpy_generator(seed, "seeds")
    normal = rng.standard_normal(samples)
    variance = shares.sum() * freedom / rng.chisquare(freedom, samples) - noise
    return normal * np.sqrt(np.maximum(variance, 0))


def check_level(level: float) -> None:
    """Check the share of intervals that may miss, and of verdicts that may be false.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level: expected a share between 0 and 1, such as 0.05, got {level}")


def _ratio(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def _checked(scores: Mapping[str, np.ndarray], axes: tuple[str, ...]) -> dict[str, np.ndarray]:
    if not scores:
        raise InputError("expected the scores of one method or more, got none")
    arrays = {name: _numbers(name, x) for name, x in scores.items()}
    first, expected = next((name, x.shape) for name, x in arrays.items())
    for name, x in arrays.items():
        if x.ndim != len(axes) or x.size == 0:
            raise InputError(
                f"{name}: expected scores [{', '.join(axes)}] with one or more of each, got shape {x.shape}"
            )
        if x.shape != expected:
            raise InputError(
                f"{name}: expected the shape of {first}, {expected} for [{', '.join(axes)}], got {x.shape}; "
                "methods are compared over the same images and the same number of seeds"
            )
        bad = np.argwhere(~np.isfinite(x))
        if len(bad):
            where = ", ".join(f"{axis[:-1]} {i}" for axis, i in zip(axes, bad[0].tolist(), strict=True))
            raise InputError(
                f"{name}: expected finite numbers, got {x[tuple(bad[0])]} at {where} (counted from 0)"
            )
    return arrays


def _numbers(name: str, scores: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(scores, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: expected an array of numbers, got {str(scores)[:100]} ({error})"
        ) from error
