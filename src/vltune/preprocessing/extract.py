"""From raw images to the feature cache, batch by batch, in constant memory.

Several processes encode neighbouring parts of a split, each whole batches, so that every image is encoded in
the same batch as by one process. The first process then puts the parts into one file, in order.

Every few seconds a process keeps its progress, so that after a kill it goes on there, with the same batches.
"""

from __future__ import annotations

import shutil
import time
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
from vltune.preprocessing.progress import Progress, finished

COPIED = 1024  # rows that are copied together
KEPT_SECONDS = 10  # between two times that the progress is kept

Read = Callable[[Path], np.ndarray]
Encode = Callable[[np.ndarray], np.ndarray]
# pixels of the readable images of a batch, those images, and the other files with the reasons
Batch = tuple[np.ndarray, list[Image], dict[str, str]]


def cache_split(
    images: Sequence[Image], source: Path, folder: Path, split: str, read: Read, encode: Encode,
    shape: tuple[int, int], batch_size: int, max_unreadable_share: float,
) -> dict[str, str]:
    """Encode a split's images into its feature file; the next batch is read while one is encoded.

    What a killed call has left in the folder is used, so the folder must belong to these arguments alone.

    Args: read, a path to uint8 [3, s, s], raising InputError with the reason; encode, uint8 [b, 3, s, s] to
        float16 [b, k, w]; shape, (k, w).
    Returns: the unreadable files with the reasons, of all processes; they are left out of the cache.
    Raises:
        InputError: more than the given share of the images cannot be read; names the first.
    """
    if finished(folder, split):
        return read_json(folder / f"{split}.json")["unreadable"]
    part = part_of(folder, split, workers.rank())
    allowed = _Allowed(source, max_unreadable_share, len(images))
    own = workers.share(images, batch_size)
    rows = len(own) if workers.rank() else len(images)
    progress = Progress.of(part, split)
    with writing(part, split, rows, *shape, resumed=progress.path.exists()) as array:
        progress.keep()
        bar = tqdm(total=len(own), desc=f"features of {split}", unit="image", mininterval=2,
                   initial=progress.tried, disable=workers.rank() > 0)
        batches = _batches(own[progress.tried:], source, read, batch_size)
        _encode_all(batches, encode, array, progress, allowed, bar)
    ids, unreadable = progress.ids, progress.unreadable
    finish(part, split, ids, unreadable)
    workers.wait()
    if workers.rank() == 0:
        if workers.count() > 1:
            _append_parts(folder, split, ids, unreadable)
            allowed.check(unreadable, len(images))
            finish(folder, split, ids, unreadable)
        progress.path.unlink()
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


def _encode_all(
    batches: Iterator[Batch], encode: Encode, array: np.ndarray, progress: Progress, allowed: _Allowed,
    bar: tqdm,
) -> None:
    """Encode batches into the rows of an array, behind those of the progress, which is kept on the way."""
    kept_at = time.monotonic()
    for pixels, good, bad in batches:
        first = len(progress.ids)
        progress.add([image.id for image in good], bad, len(good) + len(bad))
        allowed.check(progress.unreadable, progress.tried)
        if good:
            array[first:first + len(good)] = encode(pixels)
            release(array)
        bar.update(len(good) + len(bad))
        if time.monotonic() - kept_at >= KEPT_SECONDS:
            array.flush()
            progress.keep()
            kept_at = time.monotonic()
    bar.close()


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


def _batches(images: Sequence[Image], source: Path, read: Read, size: int) -> Iterator[Batch]:
    """Read the images batch by batch.

    Half of the cores read, each a batch ahead; what is read does not depend on their number.
    """
    def read_batch(batch: Sequence[Image]) -> Batch:
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
