"""Images a second of `vltune caption` after start-up: reading, encoding and captioning by beam search,
nothing else.

Run: make bench, after make repro. The target is at least 5 images a second on two cores with 3 beams.
"""

import argparse
import sys
import time
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch

from vltune.commands import caption, images
from vltune.commands.inference import Model
from vltune.pipeline.paths import RAW

WARM = 4  # images before the clock starts: the first products of a shape are slow


def main() -> None:
    """Load once, then caption the same images several times, in the batches that the command makes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="lora")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--beams", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    paths = images.find_images(RAW / "images/test")[:arguments.images]
    start = time.perf_counter()
    model = Model(Path(), arguments.method, "caption", arguments.seed, arguments.beams)
    for features, batch in model.encode(paths[:WARM]):
        caption.generate_captions(model, features, batch)
    loaded = time.perf_counter() - start
    seconds = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        for features, batch in model.encode(paths):
            caption.generate_captions(model, features, batch)
        seconds.append(time.perf_counter() - start)
    print(
        f"vltune caption, {arguments.method}, {len(paths)} images, {arguments.beams} beams, "
        f"{model.vlm.dtype}, "
        f"{torch.get_num_threads()} threads"
    )
    print(f"  start-up             {loaded:.1f} s")
    print(
        f"  images a second      {len(paths) / np.median(seconds):.1f} (fastest "
        f"{len(paths) / min(seconds):.1f})"
    )


if __name__ == "__main__":
    main()
