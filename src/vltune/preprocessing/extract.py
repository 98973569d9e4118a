"""From raw images to the feature cache, batch by batch, in constant memory.

Several processes encode neighbouring parts of a split, each whole batches, so that every image is encoded in
the same batch as by one process. The first process then puts the parts into one file, in order.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from vltune.data.features import finish, part_of, release, writing
from vltune.pipeline import workers
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.records import Image

COPIED = 1024  # rows that are copied together

Read = Callable[[Path], np.ndarray]
Encode = Callable[[np.ndarray], np.ndarray]


def cache_split(
    images: Sequence[Image], source: Path, folder: Path, split: str, read: Read, encode: Encode,
    shape: tuple[int, int], batch_size: int, max_unreadable_share: float,
) -> dict[str, str]:
    """Encode a split's images into its feature file; the next batch is read while one is encoded.

    Args: read, a path to uint8 [3, s, s], raising InputError with the reason; encode, uint8 [b, 3, s, s] to
        float16 [b, k, w]; shape, (k, w).
    Returns: the unreadable files with the reasons, of all processes; they are left out of the cache.
    Raises:
        InputError: more than the given share of the images cannot be read; names the first.
    """
    own = workers.share(images, batch_size)
    part, rows = part_of(folder, split, workers.rank()), len(own) if workers.rank() else len(images)
    allowed = _Allowed(source, max_unreadable_share, len(images))
    ids: list[int | str] = []
    unreadable: dict[str, str] = {}
    with writing(part, split, rows, *shape) as array:
        bar = tqdm(total=len(own), desc=f"features of {split}", unit="image", mininterval=2,
                   disable=workers.rank() > 0)
        for pixels, good, bad in _batches(own, source, read, batch_size):
            unreadable |= bad
            allowed.check(unreadable, len(ids) + len(good) + len(unreadable))
            if good:
                array[len(ids):len(ids) + len(good)] = encode(pixels)
                release(array)
                ids += [image.id for image in good]
            bar.update(len(good) + len(bad))
        bar.close()
    finish(part, split, ids, unreadable)
    workers.wait()
    if workers.rank() == 0 and workers.count() > 1:
        _append_parts(folder, split, ids, unreadable)
        allowed.check(unreadable, len(images))
        finish(folder, split, ids, unreadable)
    return unreadable


class _Allowed(NamedTuple):
    """How many images of a split may be unreadable."""

    source: Path
    share: float
    images: int

    def check(self, unreadable: dict[str, str], tried: int) -> None:
        """Raise InputError if there are more among those that were tried."""
        allowed = int(self.share * self.images)
        if len(unreadable) > allowed:
            name, reason = next(iter(unreadable.items()))
            raise InputError(
                f"{self.source}: {len(unreadable)} of the first {tried} images cannot be read, and "
                f"preprocess.max_unreadable_share = {self.share} allows {allowed} of {self.images}; the "
                f"first is {name}: {reason}"
            )


def _append_parts(folder: Path, split: str, ids: list[int | str], unreadable: dict[str, str]) -> None:
    """Copy the parts of the other processes behind the rows of the first, and delete each when it is copied.

    What has been copied is written to disk before the part is deleted, so that memory stays flat.
    """
    array = np.load(folder / f"{split}.npy", mmap_mode="r+")
    for rank in range(1, workers.count()):
        part = part_of(folder, split, rank)
        listed, rows = read_json(part / f"{split}.json"), np.load(part / f"{split}.npy", mmap_mode="r")
        for start in range(0, len(listed["ids"]), COPIED):
            end = min(start + COPIED, len(listed["ids"]))
            array[len(ids) + start:len(ids) + end] = rows[start:end]
            release(array)
            release(rows)
        ids += listed["ids"]
        unreadable |= listed["unreadable"]
        array.flush()
        shutil.rmtree(part)


def _batches(
    images: Sequence[Image], source: Path, read: Read, size: int
) -> Iterator[tuple[np.ndarray, list[Image], dict[str, str]]]:
    """Give stacked pixels of the readable images of each
    batch, those images, and the others with the reasons.

    Half of the cores read, each a batch ahead; what is read does not depend on their number.
    """
    def read_batch(batch: Sequence[Image]) -> tuple[np.ndarray, list[Image], dict[str, str]]:
        pixels, good, bad = [], [], {}
        for image in batch:
            try:
                pixels.append(read(source / image.file_name))
                good.append(image)
            except InputError as error:
                bad[image.file_name] = str(error)
        return np.stack(pixels) if pixels else np.empty(0), good, bad

    readers = max(1, workers.cores() // 2)
    with ThreadPoolExecutor(readers) as pool:
        coming: deque[Future] = deque()
        for start in range(0, len(images), size):
            coming.append(pool.submit(read_batch, images[start:start + size]))
            if len(coming) > readers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
