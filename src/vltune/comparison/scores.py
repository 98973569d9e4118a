"""A metric of several methods over the same images, as what each image brings: a mean, a ratio of sums, or a
metric of the corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vltune.pipeline.errors import InputError


@dataclass(frozen=True)
class Metric:
    """One metric of several methods over the same images; larger is better.

    `parts` is what each image brings, {method: [seeds, images, columns]}; `value` makes sums of it [...,
    columns] the metric's values [...].
    """

    parts: dict[str, np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]


def means(scores: Mapping[str, np.ndarray]) -> Metric:
    """Build a metric that is a mean over images, from scores {method: [seeds, images]}.

    CIDEr is one when its document frequencies come from all test references: the frequencies are then part of
    the metric, as the references are, and stay the same whichever image is left out.

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
    no part.

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

    `value` takes sums [..., columns] and gives [...], as `meteor.value` and an order of `bleu.value` do.

    Raises:
        InputError: as `means`.

    Source: Koehn 2004, Statistical significance tests for machine translation evaluation.
    """
    return Metric(_checked(statistics, ("seeds", "images", "columns")), value)


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
