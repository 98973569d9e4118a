"""The cache of image features: one float16 array [n, k, w] a split, memory-mapped, with ids and a signature.

Shapes: n images, k tokens (the cells of the grid, then extra ones of the encoder), w feature width.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, sha256, write_json

FLIPPED = "train_flipped"  # the name of the mirror images of the training images, as of a split


class Features:
    """A split's features; rows are read from disk when asked for, so memory does not grow with the data."""

    def __init__(self, folder: Path, split: str) -> None:
        """Open a split.

        Raises:
            InputError: a file is missing or cut, or the ids do not fit the array.
        """
        path = folder / f"{split}.npy"
        listed = read_json(folder / f"{split}.json")
        self.ids: list[int | str] = listed["ids"]
        self.signature: dict[str, Any] = read_json(folder / "signature.json")
        try:
            self.array = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as features, is the file whole? ({error})") from None
        if len(self.ids) > len(self.array):  # rows behind the last id belong to images that could not be read
            raise InputError(f"{path}: {len(self.array)} rows for {len(self.ids)} ids; run preprocess again")
        self.row = {image_id: i for i, image_id in enumerate(self.ids)}
        self.flipped = Features(folder, FLIPPED) if "flipped_sha256" in listed else None

    @property
    def tokens(self) -> int:
        """The number k of tokens of an image."""
        return self.array.shape[1]

    @property
    def cells(self) -> int:
        """How many of the tokens are cells of the grid, the first ones."""
        return self.signature.get("cells", self.tokens)

    @property
    def width(self) -> int:
        """The width w of a token."""
        return self.array.shape[2]

    def take(self, ids: Sequence[int | str], flips: Sequence[bool] = ()) -> np.ndarray:
        """Copy the features of some images, float16 [b, k, w]; of their mirror images where `flips` says so,
        if there are such features."""
        taken = np.stack([self.array[self.row[image_id]] for image_id in ids])
        release(self.array)
        chosen = [i for i, flip in enumerate(flips) if flip]
        if self.flipped and chosen:
            taken[chosen] = self.flipped.take([ids[i] for i in chosen])
        return taken


def part_of(folder: Path, split: str, rank: int) -> Path:
    """Give the folder in which process `rank` keeps its part of a split until the first has copied it."""
    return folder / f".{split}-part-{rank}" if rank else folder


def release(array: np.ndarray) -> None:
    """Let go of the memory through which a mapped file was read or written; what was written is kept.

    Otherwise every page that was ever touched counts as memory of this process, up to the size of the file.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        array._mmap.madvise(mmap.MADV_DONTNEED)


@contextmanager
def writing(
    folder: Path, split: str, images: int, tokens: int, width: int, resumed: bool = False
) -> Iterator[np.ndarray]:
    """Give a memory-mapped array [images, tokens, width] to fill; see `release`, and `finish` for the ids.

    Args: resumed, go on in the file that is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, mode = folder / f"{split}.npy", "r+" if resumed else "w+"
    array = open_memmap(path, mode=mode, dtype=np.float16, shape=(images, tokens, width))
    yield array
    array.flush()


def finish(folder: Path, split: str, ids: list[int | str], unreadable: dict[str, str]) -> None:
    """Write the ids of a split's rows, and the files that could not be read with the reason."""
    write_json(folder / f"{split}.json", {"ids": ids, "unreadable": unreadable})


def mark_flipped(folder: Path) -> None:
    """Note in train.json, on which every training depends, the hash of the features of the mirror images."""
    path = folder / "train.json"
    write_json(path, read_json(path) | {"flipped_sha256": sha256(folder / f"{FLIPPED}.npy")})
