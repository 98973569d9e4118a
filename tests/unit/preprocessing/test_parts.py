"""Several processes leave the feature cache of one process, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vltune.pipeline import workers
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Image
from vltune.preprocessing.extract import cache_split

UNREADABLE = {"3.png", "10.png"}


def read(path: Path) -> np.ndarray:
    if path.name in UNREADABLE:
        raise InputError("cut")
    return np.full((3, 2, 2), int(path.stem), dtype=np.uint8)


def encode(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean((2, 3))[:, None].astype(np.float16)


def cache(
    folder: Path, ranks: range, monkeypatch: pytest.MonkeyPatch, share: float = 0.5
) -> dict[str, bytes]:
    """Let each process encode its part, the first one last, as it waits for the others."""
    monkeypatch.setattr(workers, "count", lambda: len(ranks))
    monkeypatch.setattr(workers, "wait", lambda: None)
    for rank in reversed(ranks):
        monkeypatch.setattr(workers, "rank", lambda rank=rank: rank)
        images = [Image(i, f"{i}.png") for i in range(13)]
        left_out = cache_split(images, folder, folder, "train", read, encode, (1, 3), 2, share)
    assert set(left_out) == UNREADABLE
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("count", [2, 3, 9])  # with 9 processes some have no image
def test_parts_are_put_together_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    single = cache(tmp_path / "one", range(1), monkeypatch)
    assert cache(tmp_path / "several", range(count), monkeypatch) == single
    assert set(single) == {"train.npy", "train.json"}


def test_the_share_of_unreadable_images_is_that_of_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = r"2 of the first 13 images .* allows 1 of 13; the first is 3\.png: cut"
    with pytest.raises(InputError, match=message):
        cache(tmp_path, range(3), monkeypatch, share=0.1)
