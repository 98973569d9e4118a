"""From raw images to the feature cache, batch by batch, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vltune.data.features import finish, writing
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Image

Read = Callable[[Path], np.ndarray]
Encode = Callable[[np.ndarray], np.ndarray]


def cache_split(
    images: Sequence[Image], source: Path, folder: Path, split: str, read: Read, encode: Encode,
    shape: tuple[int, int], batch_size: int, max_unreadable_share: float,
) -> dict[str, str]:
    """Encode a split's images into its feature file; the next batch is read while one is encoded.

    Args: read, a path to uint8 [3, s, s], raising InputError with the reason; encode, uint8 [b, 3, s, s] to
        float16 [b, k, w]; shape, (k, w).
    Returns: the unreadable files with the reasons; they are left out of the cache.
    Raises:
        InputError: more than the given share of the images cannot be read; names the first.
    """
    ids: list[int | str] = []
    unreadable: dict[str, str] = {}
    allowed = int(max_unreadable_share * len(images))
    with writing(folder, split, len(images), *shape) as array:
        bar = tqdm(total=len(images), desc=f"features of {split}", unit="image", mininterval=2)
        for pixels, good, bad in _batches(images, source, read, batch_size):
            unreadable |= bad
            if len(unreadable) > allowed:
                name, reason = next(iter(unreadable.items()))
                raise InputError(
                    f"{source}: {len(unreadable)} of the first {len(ids) + len(good) + len(unreadable)} "
                    f"images cannot be "
                    f"read, and preprocess.max_unreadable_share = {max_unreadable_share} allows {allowed} of "
                    f"{len(images)}; the first is {name}: {reason}"
                )
            if good:
                array[len(ids):len(ids) + len(good)] = encode(pixels)
                ids += [image.id for image in good]
            bar.update(len(good) + len(bad))
        bar.close()
    finish(folder, split, ids, unreadable)
    return unreadable


def _batches(
    images: Sequence[Image], source: Path, read: Read, size: int
) -> Iterator[tuple[np.ndarray, list[Image], dict[str, str]]]:
    """Give stacked pixels of the readable images of each
    batch, those images, and the others with the reasons."""
    def read_batch(batch: Sequence[Image]) -> tuple[np.ndarray, list[Image], dict[str, str]]:
        pixels, good, bad = [], [], {}
        for image in batch:
            try:
                pixels.append(read(source / image.file_name))
                good.append(image)
            except InputError as error:
                bad[image.file_name] = str(error)
        return np.stack(pixels) if pixels else np.empty(0), good, bad

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read_batch, images[:size])
        for start in range(size, len(images) + size, size):
            ready = coming.result()
            coming = reader.submit(read_batch, images[start:start + size])
            yield ready
