"""Mirror images of the training images: encoded on request, drawn in training, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vltune.data.batch import Text
from vltune.data.examples import Example, rows
from vltune.data.features import Features
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.records import Image
from vltune.preprocessing.extract import cache_split
from vltune.preprocessing.flip import cache_flipped
from vltune.training.prefetch import Part

IMAGES = [Image(i, f"{i}.png") for i in range(8)]


def read(path: Path) -> np.ndarray:
    """An image whose left half is darker than its right half."""
    return np.full((3, 2, 2), int(path.stem), dtype=np.uint8) + np.array([0, 100], dtype=np.uint8)


def encode(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :1, 0].astype(np.float16)  # [b, 1, 2]: the upper row of the first channel


@pytest.fixture
def features(tmp_path: Path) -> Features:
    how = (read, encode, (1, 2), 3, 0.0)
    cache_split(IMAGES, tmp_path, tmp_path, "train", *how)
    cache_flipped(IMAGES, tmp_path, tmp_path, *how)
    write_json(tmp_path / "signature.json", {})
    return Features(tmp_path, "train")


def test_mirror_images_are_taken_where_they_are_asked_for(features: Features) -> None:
    taken = features.take([5, 0, 7], [False, True, True])
    assert taken[:, 0].tolist() == [[5, 105], [100, 0], [107, 7]]
    assert features.take([5, 0])[:, 0].tolist() == [[5, 105], [0, 100]]


def test_a_training_draws_one_of_the_two_by_seed_and_step(features: Features) -> None:
    examples = [Example(image.id, [Text((), [1, 2])]) for image in IMAGES]
    batches = list(rows(examples, 50, 4, 1, seed=0))
    assert list(rows(examples, 50, 4, 1, seed=0, start=20)) == batches[20:]
    flips = [example.flipped for batch in batches for example in batch]
    assert 0.4 < sum(flips) / len(flips) < 0.6
    part = Part.of(batches[0], features, 1)
    left = part.features[:, 0, 0] >= 100
    assert torch.equal(left, torch.tensor([example.flipped for example in batches[0]]))


def test_without_them_the_draw_has_no_effect(features: Features, tmp_path: Path) -> None:
    content = read_json(tmp_path / "train.json")
    assert set(content) == {"ids", "unreadable", "flipped_sha256"}
    del content["flipped_sha256"]  # files that an earlier run has left are not read
    write_json(tmp_path / "train.json", content)
    plain = Features(tmp_path, "train")
    assert plain.flipped is None
    assert np.array_equal(plain.take([3, 4], [True, True]), features.take([3, 4]))
