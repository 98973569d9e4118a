"""Scores by group of test images: each the score of its images alone."""

from __future__ import annotations

import numpy as np
import pytest

from vltune.comparison import groups
from vltune.metrics.bootstrap import Evaluate

SETTINGS = Evaluate(bootstrap_samples=100, confidence=0.95, seed=0)
UNSEEN = [False, True, True, False, False, True]


def captions(scores: list[float]) -> dict:
    return {"images": list(range(6)), "CIDEr": scores, "unseen": UNSEEN}


def test_each_group_has_the_mean_of_its_images_over_seeds() -> None:
    first, second = [1.0, 2.0, 3.0, 4.0, 7.0, 10.0], [0.0, 2.0, 2.0, 0.0, 3.0, 2.0]
    seen, unseen = groups.split({"lora": [captions(first), captions(second)]}, ["CIDEr"], SETTINGS)
    assert (seen.label, unseen.label) == ("combinations of the training images", "unseen combinations")
    assert (seen.images, unseen.images) == (3, 3)
    assert seen.scores["CIDEr"]["lora"].mean == pytest.approx((4 + 1) / 2)
    assert unseen.scores["CIDEr"]["lora"].mean == pytest.approx((5 + 2) / 2)
    assert seen.scores["CIDEr"]["lora"].sd == pytest.approx(np.std([4, 1], ddof=1))


def test_questions_are_counted_by_image_and_a_metric_without_any_is_left_out() -> None:
    run = {"images": list(range(6)), "unseen": UNSEEN,
           "questions": {"accuracy": [2, 1, 1, 2, 2, 2], "number": [0, 1, 1, 0, 0, 2]},
           "right": {"accuracy": [2, 0, 1, 1, 0, 2], "number": [0, 0, 1, 0, 0, 2]}}
    seen, unseen = groups.split({"lora": [run]}, ["accuracy", "number"], SETTINGS)
    assert seen.scores["accuracy"]["lora"].mean == pytest.approx(3 / 6)
    assert unseen.scores["accuracy"]["lora"].mean == pytest.approx(3 / 4)
    assert "number" not in seen.scores
    assert unseen.scores["number"]["lora"].mean == pytest.approx(3 / 4)


def test_data_without_groups_has_none() -> None:
    plain = {name: value for name, value in captions([1.0] * 6).items() if name != "unseen"}
    assert groups.split({"lora": [plain]}, ["CIDEr"], SETTINGS) == []
    assert groups.split({"lora": [plain | {"unseen": [True] * 6}]}, ["CIDEr"], SETTINGS) == []
