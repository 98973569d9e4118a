"""People's ratings of captions: means, differences of methods, and agreement of the raters.

Images and raters are crossed: every rater rates every image. Both are samples, of images like these and of
people like these, so an interval covers both. With one rater it covers the images alone.

A few raters say little of other people, however many images they rate. So a difference has two p-values and
may earn two words:

    better, worse                  images and raters: other people would agree, on images like these
    better or worse (these raters) images alone: these people judge so of images like these
    undecided                      neither
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import krippendorff
import numpy as np
from scipy import optimize, stats

from vltune.comparison.significance import BETTER, UNDECIDED, WORSE

OF_PANEL = " (these raters)"  # behind a word that is about them alone
SMALLEST_P = 1e-12  # below it a p-value is not resolved


@dataclass(frozen=True)
class Mean:
    """A mean over images and raters, with the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """How the ratings of method a compare with those of method b over the same images.

    `difference` is a - b, `sd` the standard deviation over images of the difference of the raters' means,
    which a sample size is computed from. `p_images` is about these raters and other images, `p_both` about
    other raters too; `verdict` is the word for a. `preferred` is the share of images with a higher mean
    rating of a, `other` of b, and `p_preferred` is of their comparison. All p-values are corrected over the
    pairs.
    """

    a: str
    b: str
    difference: Mean
    sd: float
    p_images: float
    p_both: float
    verdict: str
    preferred: float
    other: float
    p_preferred: float


def mean_squares(ratings: np.ndarray) -> tuple[float, float, float]:
    """Give the mean squares of images, raters and their interaction, of ratings [images, raters].

    Source: Shrout and Fleiss 1979, Intraclass correlations: uses in assessing rater reliability (case 2).
    """
    images, raters = ratings.shape
    mean, by_image, by_rater = ratings.mean(), ratings.mean(1, keepdims=True), ratings.mean(0, keepdims=True)
    rest = ratings - by_image - by_rater + mean
    return (
        float(raters * ((by_image - mean) ** 2).sum() / (images - 1)),
        float(images * ((by_rater - mean) ** 2).sum() / (raters - 1)),
        float((rest**2).sum() / ((images - 1) * (raters - 1))),
    )


def half_width(ratings: np.ndarray, level: float) -> float:
    """Give half of the length of the interval of the mean of ratings [images, raters], with confidence
    1 - `level`.

    The variance of the mean is a part from the images (with what images and raters have in common) and a part
    from the raters. Each part is multiplied by the square of Student's t with its own degrees of freedom, and
    the products are added. Satterthwaite's formula, which gives the sum one number of degrees of freedom, is
    too short for three raters: its 95 % intervals cover 92 % where raters differ.

    Source: Howe 1974, Approximate confidence limits on the mean of X + Y where X and Y are two tabled
    independent random variables; Clark 1973, The language-as-fixed-effect fallacy (why both).
    """
    images, raters = ratings.shape
    if raters == 1:
        return float(stats.t.isf(level / 2, images - 1) * ratings.std(ddof=1) / np.sqrt(images))
    of_images, of_raters, of_both = mean_squares(ratings)
    squared = stats.t.isf(level / 2, images - 1) ** 2 * max(of_images, of_both)
    squared += stats.t.isf(level / 2, raters - 1) ** 2 * max(of_raters - of_both, 0)
    return float(np.sqrt(squared / (images * raters)))


def mean(ratings: np.ndarray, level: float) -> Mean:
    """Give the mean of ratings [images, raters] and its interval of confidence 1 - `level`."""
    value, half = float(ratings.mean()), half_width(ratings, level)
    return Mean(value, value - half, value + half)


def p_value(differences: np.ndarray) -> float:
    """Give the p-value of differences [images, raters]: the level at which the interval of their mean ends at
    0."""
    size = abs(float(differences.mean()))
    if size == 0:
        return 1.0
    if half_width(differences, SMALLEST_P) <= size:
        return SMALLEST_P
    return float(optimize.brentq(lambda level: half_width(differences, level) - size, SMALLEST_P, 1))


def pairs(ratings: Mapping[str, np.ndarray], level: float) -> list[Pair]:
    """Compare all pairs of methods, from ratings {method: [images, raters]} of the same images and raters.

    `level` is the share of false words that is accepted, for all pairs together; the intervals are of each
    pair alone.
    """
    names = list(combinations(ratings, 2))
    differences = [ratings[a] - ratings[b] for a, b in names]
    panels = [difference.mean(1, keepdims=True) for difference in differences]
    of_images = holm(np.array([p_value(panel) for panel in panels]))
    of_both = holm(np.array([p_value(difference) for difference in differences]))
    signs = [np.sign(panel[:, 0].round(9)) for panel in panels]
    preferences = holm(np.array([_sign_test(sign) for sign in signs]))
    return [
        Pair(a, b, mean(differences[i], level), float(panels[i].std(ddof=1)), float(of_images[i]),
             float(of_both[i]), word(float(panels[i].mean()), of_images[i], of_both[i], level),
             float((signs[i] > 0).mean()), float((signs[i] < 0).mean()), float(preferences[i]))
        for i, (a, b) in enumerate(names)
    ]


def word(difference: float, p_images: float, p_both: float, level: float) -> str:
    """Give the word for a difference with its corrected p-values."""
    sign = BETTER if difference > 0 else WORSE
    if p_both <= level:
        return sign
    return sign + OF_PANEL if p_images <= level else UNDECIDED


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values [pairs] so that the chance of any false word among them stays at the level.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]), 1)
    return corrected


def agreement(ratings: np.ndarray) -> float | None:
    """Give Krippendorff's alpha of ratings [captions, raters], as ordinal data: 1 is perfect agreement, 0
    that of chance. None with one rater, or if all ratings are equal.

    Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability.
    """
    given = ratings[~np.isnan(ratings)]
    if ratings.shape[1] < 2 or len(np.unique(given)) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=ratings.T, level_of_measurement="ordinal"))


def _sign_test(signs: np.ndarray) -> float:
    """Give the two-sided p-value of more signs + than -, or fewer; ties take no part."""
    preferred, other = int((signs > 0).sum()), int((signs < 0).sum())
    return float(stats.binomtest(preferred, preferred + other).pvalue) if preferred + other else 1.0
