"""The variance of a mean over seeds and images, part by part, without drawing anything.

Images and seeds are crossed: the same test images serve every seed. The variance of a mean over s seeds and m
images is therefore that of the seeds, divided by s, plus that of the images, less the part that both contain
(each trained model has other images right), which would count twice.

Images: the jackknife, which leaves out an image at a time; for a mean over images this is the usual variance
of a mean. A metric of the corpus is scored again without each image. CIDEr's document frequencies are held.

Seeds: seed s of one method is paired with seed s of another, since the batches of a training depend on the
seed alone. The seeds are blocks, as in a two-way table of methods and seeds, and what varies is the
remainder.

Source: Owen 2007, The pigeonhole bootstrap, section 2 (crossed random effects); Efron and Stein 1981, The
jackknife estimate of variance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vltune.comparison.scores import Metric
from vltune.pipeline.errors import InputError

# Degrees of freedom that the variance of all methods together counts as, beside a method's own s - 1.
# Smyth estimates this number from thousands of variances; of two to twelve it cannot be estimated.
PRIOR = 4.0


class Variance(NamedTuple):
    """An estimated variance and its degrees of freedom."""

    value: np.ndarray
    freedom: np.ndarray


class Parts(NamedTuple):
    """A variance, and for each of its parts the degrees of freedom and the share of the whole, [...,
    parts]."""

    total: np.ndarray
    freedom: np.ndarray
    shares: np.ndarray

    def of(self, chosen: np.ndarray) -> Parts:
        """Give those of some variances, by a mask."""
        return Parts(*(part[chosen] for part in self))


class Images(NamedTuple):
    """What images contribute to the variance of a mean over seeds: in all, and the part that seeds contain
    too."""

    total: np.ndarray
    shared: np.ndarray


def influences(metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Give the metric by method and seed [methods, seeds], and how much each image moves it [methods, seeds,
    images]: m - 1 times what the metric loses, compared with the average image, when the image is left out.

    With a single image nothing is known of how much images move it, and the second array is 0.

    Raises:
        InputError: the metric has no finite value for a method.

    Source: Efron and Tibshirani 1993, section 11.5 (jackknife influence values).
    """
    values, moved = [], []
    for name, parts in metric.parts.items():
        whole, images = parts.sum(1), parts.shape[1]
        value = metric.value(whole)
        without = metric.value(whole[:, None] - parts) if images > 1 else value[:, None]
        if not (np.isfinite(value).all() and np.isfinite(without).all()):
            raise InputError(
                f"{name}: the metric of these images, or of all but one of them, is not finite; by seed "
                f"{value.tolist()}"
            )
        values.append(value)
        moved.append((images - 1) * (without.mean(1, keepdims=True) - without))
    return np.stack(values), np.stack(moved)


def of_images(moved: np.ndarray) -> Images:
    """Give what the images contribute to the variance of a mean over seeds, from influences [seeds, images].

    Source: the mean squares of a two-way table with one value a cell, Scheffé 1959, section 7.4.
    """
    seeds, images = moved.shape
    if images < 2:
        return Images(np.zeros(()), np.zeros(()))
    mean = moved.mean(0)
    shared = ((moved - mean) ** 2).sum() / ((seeds - 1) * seeds) if seeds > 1 else np.zeros(())
    return Images((mean**2).sum() / (images * (images - 1)), shared / (images * (images - 1)))


def of_pairs(moved: np.ndarray, first: np.ndarray, second: np.ndarray) -> Images:
    """Give the same for the difference of each pair, [pairs], from influences [methods, seeds, images]."""
    by_pair = [of_images(moved[a] - moved[b]) for a, b in zip(first, second, strict=True)]
    return Images(*np.array(by_pair).T)


def of_seeds(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> Variance:
    """Give the variance over seeds of the difference of each pair, from values [methods, seeds]; [pairs].

    Of what remains of the values without the means of methods and seeds, each method has the mean square w.
    It is moderated: with s - 1 own degrees of freedom and PRIOR ones of the mean over all methods W,

        v = ((s - 1) w + PRIOR W) / (s - 1 + PRIOR),

    and the pair has v of its first method plus v of its second. Two methods have the same remainder, and this
    is the paired t-test. The degrees of freedom are Satterthwaite's, with the moderated variances in place of
    the true ones. With W alone and equal variances they would be (methods - 1)(s - 1), as in the two-way
    table.

    Source: Smyth 2004, Linear models and empirical Bayes methods, section 3 (moderation); Satterthwaite 1946,
    An approximate distribution of estimates of variance components; Grubbs 1948 (the remainder by method).
    """
    methods, seeds = values.shape
    own = remainder(values)
    weight = (seeds - 1) / (seeds - 1 + PRIOR)
    moderated = weight * own + (1 - weight) * own.mean()
    shares = _shares(methods, seeds, first, second)
    return Variance(moderated[first] + moderated[second], _freedom(shares * moderated, seeds))


def remainder(values: np.ndarray) -> np.ndarray:
    """Give the mean square of each method, [methods], of what remains of values [methods, seeds] without the
    means of methods and seeds. For equal variances it estimates that of a method over seeds."""
    methods, seeds = values.shape
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    return (rest**2).sum(1) / (seeds - 1) / (1 - 1 / methods)


def freedom_of_equals(methods: int, seeds: int) -> float:
    """Give the degrees of freedom of `of_seeds` where all mean squares are equal."""
    return float(_freedom(_shares(methods, seeds, np.array([0]), np.array([1])), seeds)[0])


def _shares(methods: int, seeds: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give how often each method's mean square counts in the variance of each pair, [pairs, methods]."""
    weight = (seeds - 1) / (seeds - 1 + PRIOR)
    shares = np.full((len(first), methods), (1 - weight) * 2 / methods)
    for side in (first, second):
        shares[np.arange(len(first)), side] += weight
    return shares


def _freedom(parts: np.ndarray, seeds: int) -> np.ndarray:
    """Give Satterthwaite's degrees of freedom of sums of methods' mean squares [pairs, methods]."""
    methods, total = parts.shape[1], parts.sum(1)
    alike = 1 / (methods - 1) ** 2  # correlation of the mean squares of two methods: the remainders sum to 0
    spread = (1 - alike) * (parts**2).sum(1) + alike * total**2
    most = np.full(len(parts), (methods - 1.0) * (seeds - 1))
    return np.divide((seeds - 1) * total**2, spread, out=most, where=spread > 0)


def combined(seeds: Variance, images: Images, number: int) -> Parts:
    """Add up the variance of a mean: that of the mean over seeds, and that of `number` images.

    What seeds and images share is subtracted once, from the part of the images. The sum is at least that part
    whole, which is right where seeds bring nothing of their own.
    """
    of_images = np.maximum(images.total - images.shared, 0)
    by_part = np.stack(np.broadcast_arrays(seeds.value, of_images), axis=-1)
    total = by_part.sum(-1)
    shares = np.divide(by_part, total[..., None], out=np.full_like(by_part, 0.5), where=total[..., None] > 0)
    freedom = np.stack(np.broadcast_arrays(seeds.freedom, max(number - 1.0, 1.0)), axis=-1)
    return Parts(np.maximum(total, images.total), freedom, shares)


def alone(images: Images, number: int) -> Parts:
    """Give the variance of a mean that `number` images contribute, and nothing else."""
    total = np.asarray(images.total)
    return Parts(total, np.full((*total.shape, 1), max(number - 1.0, 1.0)), np.ones((*total.shape, 1)))
