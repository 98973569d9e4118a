"""How many images people have to rate, so that a difference of two methods is shown."""

from __future__ import annotations

from scipy import optimize, stats

FEWEST, MOST = 2, 10_000_000  # images


def power(images: int, difference: float, sd: float, level: float) -> float:
    """Give the probability that a paired, two-sided t-test over `images` is significant at `level`.

    `difference` (> 0) is that of the methods' mean ratings, `sd` the standard deviation over images of the
    difference of their ratings.

    Source: Cohen 1988, Statistical power analysis for the behavioral sciences, chapter 2. The square of the
    statistic has the noncentral F distribution.
    """
    limit = stats.t.isf(level / 2, images - 1) ** 2
    return float(stats.ncf.sf(limit, 1, images - 1, images * (difference / sd) ** 2))


def images_needed(difference: float, sd: float, level: float, wanted: float) -> int:
    """Give the smallest number of images with the `wanted` power, and at least two."""
    low, high = FEWEST, FEWEST
    while power(high, difference, sd, level) < wanted and high < MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, difference, sd, level) >= wanted else (middle, high)
    return high


def detectable(images: int, sd: float, level: float, wanted: float) -> float:
    """Give the smallest difference that `images` show with the `wanted` power."""
    def missing(difference: float) -> float:
        return power(images, difference, sd, level) - wanted

    high = sd
    while missing(high) < 0:
        high *= 2
    return float(optimize.brentq(missing, 1e-6 * high, high))
