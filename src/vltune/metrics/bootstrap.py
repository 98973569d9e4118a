"""Statistics of images as lines of text, one an image: as
lists in JSON every number would take a line of its own."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from vltune.pipeline.params import Section
from vltune.pipeline.randomness import numpy_generator


class Evaluate(Section):
    """Section `evaluate`: samples of the bootstrap over images,
    the interval's confidence and the seed of the draws."""

    bootstrap_samples: int = Field(ge=100)
    confidence: float = Field(gt=0, lt=1)
    seed: int


def pack(statistics: np.ndarray) -> list[str]:
    """Write statistics [images, columns] as one line an image; whole numbers stay short."""
    return [" ".join(f"{x:.{DIGITS}g}" for x in row) for row in statistics.tolist()]


def unpack(lines: list[str]) -> list[list[str]]:
    """Take lines of `pack` apart, for numpy to read as numbers."""
    return [str(line).split() for line in lines]


DIGITS = 10  # written: what a sum loses to its order of addition lies below


def draws(images: int, samples: int, seed: int) -> np.ndarray:
    """Draw images with replacement: how often each image stands in each sample, [samples, images].

    Source: Efron and Tibshirani 1993, An introduction to the bootstrap, algorithm 6.1.
    """
    return numpy_generator(seed, "bootstrap").multinomial(images, np.full(images, 1 / images), size=samples)


def sums(counts: np.ndarray, statistics: np.ndarray) -> np.ndarray:
    """Sum the statistics [images, ...] of the images of each sample of `draws`; gives [samples, ...].

    Not a BLAS product: its order of addition, and so the last digits, would depend on the number of threads.
    """
    return np.einsum("si,i...->s...", counts.astype(float), np.asarray(statistics, dtype=float))


def means(counts: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average the scores [images] of the images of each sample of `draws`; gives [samples]."""
    return sums(counts, scores) / counts.shape[1]


def ratios(counts: np.ndarray, totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Divide the sum of `totals` [images, ...] by that of `sizes`
    [images, ...] in each sample of `draws`; gives [samples, ...].

    So things that belong to one image are drawn together, as they are not independent: an interval that draws
    them one by one is too narrow. NaN in a sample whose images have size 0.

    Source: Davison and Hinkley 1997, Bootstrap methods and their application, section 3.8.
    """
    with np.errstate(invalid="ignore"):
        return sums(counts, totals) / sums(counts, sizes)


def interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Give the percentile interval of a statistic's values over
    the samples; a sample without a value (NaN) is left out.

    Source: Efron and Tibshirani 1993, section 13.3.
    """
    low, high = np.quantile(values[~np.isnan(values)], [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def row(value: float, values: np.ndarray, confidence: float) -> dict[str, float]:
    """Give a statistic's value and the ends of its interval, as results files hold them."""
    low, high = interval(values, confidence)
    return {name: round(float(x), DIGITS) for name, x in [("value", value), ("low", low), ("high", high)]}
