"""A second set of features of the training images: those of their mirror images.

Source: Krizhevsky et al. 2012, section 4.1 (horizontal reflections as data augmentation).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vltune.data.features import FLIPPED, mark_flipped
from vltune.pipeline import workers
from vltune.pipeline.records import Image
from vltune.preprocessing.extract import Encode, Read, cache_split


def cache_flipped(
    images: Sequence[Image], source: Path, folder: Path, read: Read, encode: Encode, shape: tuple[int, int],
    batch_size: int, max_unreadable_share: float,
) -> None:
    """Encode the mirror images of the training images into files of their own, and note them in train.json.

    Args and errors are those of `cache_split`.
    """
    def read_flipped(path: Path) -> np.ndarray:
        return np.ascontiguousarray(read(path)[..., ::-1])

    cache_split(images, source, folder, FLIPPED, read_flipped, encode, shape, batch_size,
                max_unreadable_share)
    if workers.rank() == 0:
        mark_flipped(folder)
