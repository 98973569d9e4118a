"""Statistics of images as lines of text, one an image: as lists in JSON every number would take a line of its own."""

from __future__ import annotations

import numpy as np

from vltune.metrics.bootstrap import DIGITS


def pack(statistics: np.ndarray) -> list[str]:
    """Write statistics [images, columns] as one line an image; whole numbers stay short."""
    return [" ".join(f"{x:.{DIGITS}g}" for x in row) for row in statistics.tolist()]


def unpack(lines: list[str]) -> list[list[str]]:
    """Take lines of `pack` apart, for numpy to read as numbers."""
    return [str(line).split() for line in lines]
