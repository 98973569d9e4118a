"""preprocess: cache the frozen encoder's features of every image."""

import sys
from functools import partial
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent

die_with_parent()  # before the imports that take seconds

from vltune.pipeline import launch, workers
from vltune.pipeline.files import write_json
from vltune.pipeline.params import load as section
from vltune.pipeline.records import SPLITS, read_captions
from vltune.preprocessing.encoder import load
from vltune.preprocessing.extract import cache_split
from vltune.preprocessing.flip import cache_flipped
from vltune.preprocessing.images import read_image
from vltune.preprocessing.settings import Preprocess


def main() -> None:
    """Write data/features from data/raw and data/base/encoder."""
    p = section(Preprocess, "preprocess")
    encoder, signature = load(Path("data/base/encoder"), p)
    folder, raw = Path("data/features"), Path("data/raw")
    read = partial(read_image, fit=encoder.fitting(), pixel_limit=p.pixel_limit)
    for split in SPLITS:
        images = read_captions(raw / f"captions_{split}.json").images
        given = (images, raw / "images" / split, folder)
        how = (read, encoder.encode, (signature["tokens"], signature["width"]), p.batch_size,
               p.max_unreadable_share)
        unreadable = cache_split(*given, split, *how)
        if p.flip and split == "train":
            cache_flipped(*given, *how)
        if workers.rank():
            continue
        for name, reason in unreadable.items():
            sys.stderr.write(f"left out: {split}/{name}: {reason}\n")
        if unreadable:
            sys.stderr.write(f"{split}: {len(unreadable)} of {len(images)} images could not be read\n")
    if workers.rank() == 0:
        write_json(folder / "signature.json", signature)


if __name__ == "__main__":
    launch.run(main)
