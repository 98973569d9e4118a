"""The studentized range: how far apart k equal means are by chance, divided by an estimated standard
deviation.

Q = (max - min of k standard normal values) / s with s = sqrt(chi2(f) / f). For k = 2, Q / sqrt(2) is |t| of
Student's distribution. scipy has the same distribution, but needs half a second for each quantile; here a
table of the range is made once for each k, and the integral over s is a sum of 80 terms.

Source: Tukey 1953, The problem of multiple comparisons; Kramer 1956 for means of unequal precision.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import gammaincinv, gammaln, ndtr

WIDEST, STEP = 20.0, 0.005  # of the table of the range, in standard deviations
NODES, WEIGHTS = np.polynomial.legendre.leggauss(80)
TAIL = 1e-12  # of the distribution of s on either side, which the sum leaves out
MOST_FREEDOM = 1e6  # above it the estimated standard deviation is as good as known


def survival(q: np.ndarray, methods: int, freedom: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Give the probability that the studentized range of `methods` means exceeds `q` [n], for a variance with
    parts of `freedom` [n, parts] degrees of freedom and of `shares` [n, parts] of the whole.

    With one part this is the definition, P(Q > q) = E[1 - P(range <= q s)]. With several it is the mean of
    the parts' probabilities, weighted by their shares. Satterthwaite's single number of degrees of freedom
    exceeds the level by half where a part has two of them; this does not exceed it (docs/evaluation.md).

    Source: Cochran 1964, Approximate significance levels of the Behrens-Fisher test (the weights).
    """
    points, weights = _scale(freedom, shares)
    return _above(q, points, weights, methods)


def quantile(level: float, methods: int, freedom: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Give the value that the studentized range exceeds with probability `level`, [n], by bisection.

    For f below 1 it may lie above 1e6, which is then given.
    """
    points, weights = _scale(freedom, shares)
    low, high = np.zeros(len(points)), np.full(len(points), 1e6)
    for step in range(45):
        middle = (low + high) / 2 if step else np.full(len(points), 10.0)
        above = _above(middle, points, weights, methods) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


def _above(q: np.ndarray, points: np.ndarray, weights: np.ndarray, methods: int) -> np.ndarray:
    return np.clip(1 - (_range_below(np.asarray(q)[:, None] * points, methods) * weights).sum(1), 0, 1)


def _scale(freedom: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give values of s [n, parts * nodes] and their weights, which sum to 1: Gauss and Legendre's between the
    tails of each part."""
    half = np.minimum(np.asarray(freedom, dtype=float), MOST_FREEDOM)[..., None] / 2
    ends = np.sqrt(gammaincinv(half, [TAIL, 1 - TAIL]) / half)
    points = ends.mean(-1, keepdims=True) + np.diff(ends) / 2 * NODES
    log_density = (2 * half - 1) * np.log(points) - half * points**2 + half * np.log(half) - gammaln(half)
    weights = WEIGHTS * np.exp(log_density)
    weights *= np.asarray(shares)[..., None] / weights.sum(-1, keepdims=True)
    return points.reshape(len(points), -1), weights.reshape(len(points), -1)


def _range_below(width: np.ndarray, methods: int) -> np.ndarray:
    """Give the probability that the range of `methods` standard normal values is at most `width`."""
    return np.interp(width, np.arange(0, WIDEST, STEP), _table(methods))


@cache
def _table(methods: int) -> np.ndarray:
    """Tabulate P(range <= w) = k times the integral of phi(z) (Phi(z) - Phi(z - w))^(k - 1) over the
    largest."""
    z, spacing = np.linspace(-10, 10, 401, retstep=True)
    between = ndtr(z) - ndtr(z - np.arange(0, WIDEST, STEP)[:, None])
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return methods * spacing * (density * between ** (methods - 1)).sum(1)
