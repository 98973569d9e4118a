"""Memory and time of a feature cache of COCO's size: written as `preprocess` does, read as a training does.

Run: python benchmarks/memory.py. It writes 120,000 images of 16 tokens of width 768 (the defaults) in
float16, 2.9 GB, into a temporary folder of the working directory, with made-up features in the place of the
encoder's, and reads every image once in random order. Writing and reading are processes of their own, whose
peak of resident memory must stay below 2 GiB; the exit status is 1 otherwise. `--images 10000` is a shorter
try.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
from usage import usage

from vltune.data.features import Features
from vltune.pipeline.files import write_json
from vltune.pipeline.records import Image
from vltune.preprocessing.extract import cache_split

LIMIT = 2 * 1024  # MiB
BATCH = 16


def made_up(numbers: np.ndarray, tokens: int, width: int) -> np.ndarray:
    """Give features that tell the number of an image, float16 [b, tokens, width]."""
    base = np.random.default_rng(0).normal(size=(1, tokens, width)).astype(np.float16)
    features = np.repeat(base, len(numbers), 0)
    features[:, 0, :3] = numbers[:, None] // np.array([1, 100, 10_000]) % 100
    return features


def write(folder: Path, images: int, tokens: int, width: int) -> None:
    """Write the cache; an image's pixels are its number."""
    def read(path: Path) -> np.ndarray:
        return np.full((1, 1, 1), int(path.name))

    def encode(pixels: np.ndarray) -> np.ndarray:
        return made_up(pixels.reshape(-1), tokens, width)

    records = [Image(i, str(i)) for i in range(images)]
    cache_split(records, folder, folder, "train", read, encode, (tokens, width), BATCH, 0.0)
    write_json(folder / "signature.json", {"tokens": tokens, "width": width})


def read(folder: Path, images: int) -> None:
    """Read every image once, in random order, and check that it is the right one."""
    features = Features(folder, "train")
    order = np.random.default_rng(0).permutation(images)
    for start in range(0, images, BATCH):
        numbers = order[start:start + BATCH]
        taken = features.take(numbers.tolist())
        if not np.array_equal(taken, made_up(numbers, *taken.shape[1:])):
            sys.exit(f"other features were read than were written for the images {numbers}")


def measure(name: str, call: Callable[..., None], *arguments: Any) -> bool:
    """Run a function in a process of its own; print its seconds and its peak, and tell whether it is in the
    limit."""
    seconds, before, peak = usage(name, call, *arguments)
    print(f"{name}: {seconds:.0f} s, {peak:.0f} MiB at most, {before:.0f} of them before the first image")
    return peak < LIMIT


def sizes(folder: Path) -> Iterator[str]:
    """Say how large the files are."""
    for file in sorted(folder.iterdir()):
        yield f"{file.name} {file.stat().st_size / 1e9:.2f} GB"


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=120_000)
    parser.add_argument("--tokens", type=int, default=16, help="of an image (default 16, a 4 x 4 grid)")
    parser.add_argument("--width", type=int, default=768, help="of a token (default 768, ViT-S/14)")
    given = parser.parse_args()
    needed = given.images * given.tokens * given.width * 2
    if shutil.disk_usage(".").free < 1.2 * needed:
        sys.exit(f"{needed / 1e9:.1f} GB are written; there is no such space here")
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        folder = Path(scratch)
        written = measure("written", write, folder, given.images, given.tokens, given.width)
        print("; ".join(sizes(folder)))
        readable = measure("read in random order", read, folder, given.images)
    sys.exit(not (written and readable))


if __name__ == "__main__":
    main()
