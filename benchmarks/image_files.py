"""Image files a second that one core reads, as `preprocess` reads them: JPEG files of 640 x 480 pixels, the
usual size of COCO's.

Run: python benchmarks/image_files.py. The pictures are smooth colours with noise, so that a file is about as
large as a photograph's, 100 kB.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
from PIL import Image

from vltune.preprocessing.images import fitting, read_image

FILES, ROUNDS = 50, 5
WIDTH, HEIGHT, SIDE = 640, 480, 168
DATA = {"crop_pct": 1.0, "interpolation": "bicubic", "mean": (0.5, 0.5, 0.5)}


def write(folder: Path) -> list[Path]:
    """Write the files."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.jpg" for i in range(FILES)]
    for path in paths:
        smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT))
        noise = rng.normal(0, 12, (HEIGHT, WIDTH, 3))
        Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


def main() -> None:
    """Print the size of a file, and the files a second of the processor time of this process."""
    fit = fitting("squash", SIDE, DATA)
    with tempfile.TemporaryDirectory() as name:
        paths = write(Path(name))
        size = sum(path.stat().st_size for path in paths) / FILES
        begun = time.process_time()
        for path in ROUNDS * paths:
            read_image(path, fit, WIDTH * HEIGHT)
        seconds = time.process_time() - begun
    print(f"{size / 1000:.0f} kB a file, {ROUNDS * FILES / seconds:.0f} files a second and core")


if __name__ == "__main__":
    main()
