"""A killed preprocess goes on where it was, and leaves the bytes of one that was not killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vltune.pipeline import workers
from vltune.pipeline.errors import InputError
from vltune.pipeline.paths import images
from vltune.pipeline.records import Image
from vltune.pipeline.work import WORK
from vltune.preprocessing import extract
from vltune.preprocessing.settings import Preprocess
from vltune.preprocessing.work import work_folder

IMAGES, BATCH = [Image(i, f"{i}.png") for i in range(11)], 2


class Encoder:
    """Counts what it reads and encodes; is killed after some batches."""

    def __init__(self, batches: int = 100) -> None:
        self.left, self.read_names = batches, []

    def read(self, path: Path) -> np.ndarray:
        self.read_names.append(path.name)
        if path.name == "3.png":
            raise InputError("cut")
        return np.full((3, 2, 2), int(path.stem), dtype=np.uint8)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return pixels.mean((2, 3))[:, None].astype(np.float16)

    def cache(self, folder: Path) -> dict[str, str]:
        return extract.cache_split(
            IMAGES, folder, folder, "train", self.read, self.encode, (1, 3), BATCH, 0.5)


@pytest.fixture(autouse=True)
def _always_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "KEPT_SECONDS", 0)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("batches", range(6))
def test_a_killed_split_goes_on(tmp_path: Path, batches: int) -> None:
    expected = Encoder().cache(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        Encoder(batches).cache(tmp_path / "killed")
    second = Encoder()
    assert second.cache(tmp_path / "killed") == expected == {"3.png": "cut"}
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    assert second.read_names == [image.file_name for image in IMAGES[batches * BATCH:]]
    third = Encoder()
    assert third.cache(tmp_path / "killed") == expected
    assert not third.read_names  # a finished split is not encoded again


@pytest.mark.parametrize("killed", [0, 1, 2])
def test_parts_that_are_killed_while_they_are_copied_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: int
) -> None:
    """The first process has copied and deleted `killed` parts, and is killed in the next."""
    Encoder().cache(tmp_path / "whole")
    monkeypatch.setattr(workers, "count", lambda: 3)
    monkeypatch.setattr(workers, "wait", lambda: None)
    remove = extract.shutil.rmtree

    def removals() -> Iterator[None]:
        yield from [None] * killed
        raise KeyboardInterrupt

    left = removals()

    def removed(folder: Path) -> None:
        next(left, None)
        remove(folder)

    folder = tmp_path / "several"
    for attempt in range(2):
        for rank in (2, 1, 0):
            monkeypatch.setattr(workers, "rank", lambda rank=rank: rank)
            if attempt == 0 and rank == 0:
                monkeypatch.setattr(extract.shutil, "rmtree", removed)
                if killed < 2:
                    with pytest.raises(KeyboardInterrupt):
                        Encoder().cache(folder)
                else:
                    Encoder().cache(folder)
            else:
                Encoder().cache(folder)
    assert content(folder) == content(tmp_path / "whole")


def settings() -> Preprocess:
    return Preprocess(
        image_size=28, fit="squash", layer=-1, grid=2, pooling="mean", extra_tokens="none", flip=False,
        batch_size=2, precision="float32", max_unreadable_share=0.0, pixel_limit=100)


def test_a_changed_image_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images("val").mkdir(parents=True)
    file, listed = images("val") / "1.png", {"val": [Image(1, "1.png"), Image(2, "missing.png")]}
    file.write_bytes(b"1")
    first = work_folder(settings(), {}, listed)
    with pytest.raises(InputError, match="another process is preprocessing these images"):
        work_folder(settings(), {}, listed)
    first.close()
    same = work_folder(settings(), {}, listed)
    assert same.folder == first.folder
    same.close()
    os.utime(file, ns=(1, 1))
    other = work_folder(settings(), {}, listed)
    assert other.folder != first.folder
    assert not first.folder.exists()
    (other.folder / "val.json").write_text("{}")
    other.become(Path("data/features"))
    assert content(Path("data/features")) == {"val.json": b"{}"}
    assert [path.name for path in (WORK / "preprocess").iterdir()] == ["lock"]
