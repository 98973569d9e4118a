"""The number of images, against published tables and itself."""

from __future__ import annotations

import pytest

from vltune.comparison.sample_size import detectable, images_needed, power


@pytest.mark.parametrize(("effect", "images"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_small_medium_and_large_effects_need_the_known_numbers(effect: float, images: int) -> None:
    """Paired t-test, two-sided, level 0.05, power 0.80; the same numbers as G*Power (Faul et al. 2007)."""
    assert images_needed(effect, 1, 0.05, 0.8) == images


def test_the_number_is_the_smallest() -> None:
    images = images_needed(0.5, 1.2, 0.005, 0.8)
    assert power(images, 0.5, 1.2, 0.005) >= 0.8 > power(images - 1, 0.5, 1.2, 0.005)


def test_only_the_ratio_of_difference_and_spread_counts() -> None:
    assert images_needed(0.5, 1.2, 0.01, 0.9) == images_needed(1, 2.4, 0.01, 0.9)


@pytest.mark.parametrize("images", [2, 10, 500])
def test_the_detectable_difference_has_the_wanted_power(images: int) -> None:
    assert power(images, detectable(images, 1.2, 0.005, 0.8), 1.2, 0.005) == pytest.approx(0.8)


def test_without_a_difference_the_power_is_the_level() -> None:
    assert power(50, 1e-4, 1, 0.05) == pytest.approx(0.05, abs=1e-4)
