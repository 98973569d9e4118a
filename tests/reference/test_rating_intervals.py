"""Intervals of ratings hold what they promise: simulations in which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from vltune.comparison import ratings
from vltune.comparison.sample_size import images_needed

WORLDS, LEVEL = 2000, 0.05
MARGIN = 3 * np.sqrt(LEVEL * (1 - LEVEL) / WORLDS)  # three standard errors of the share


def worlds(images: int, raters: int, spread: float, mean: float = 0.0, count: int = WORLDS) -> np.ndarray:
    """Draw differences of two methods [worlds, images, raters]; raters differ in them by `spread`."""
    rng = np.random.default_rng(raters)
    of_images, of_raters = rng.normal(size=(count, images, 1)), spread * rng.normal(size=(count, 1, raters))
    return mean + of_images + of_raters + rng.normal(size=(count, images, raters))


@pytest.mark.parametrize("raters", [1, 3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.2, 0.8])
def test_equal_methods_are_rarely_called_different(raters: int, spread: float) -> None:
    """With one rater the interval is of that rater, so a spread over raters has no part in it."""
    drawn = worlds(60, raters, spread if raters > 1 else 0)
    missed = np.mean([abs(world.mean()) > ratings.half_width(world, LEVEL) for world in drawn])
    assert missed <= LEVEL + MARGIN


def test_the_planned_number_of_images_shows_the_planned_difference() -> None:
    """To these raters, whose means over images are tested."""
    raters, difference = 3, 0.5
    images = images_needed(difference, np.sqrt(1 + 1 / raters), LEVEL, 0.8)
    panels = worlds(images, raters, 0, difference, 1000).mean(2, keepdims=True)
    shown = np.mean([panel.mean() > ratings.half_width(panel, LEVEL) for panel in panels])
    assert shown == pytest.approx(0.8, abs=0.04)
