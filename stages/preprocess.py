"""preprocess: cache the frozen encoder's features of every image."""

import sys
from functools import partial
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline import launch, workers
from vltune.pipeline.files import write_json
from vltune.pipeline.params import load as section
from vltune.pipeline.paths import ENCODER, FEATURES, captions, images
from vltune.pipeline.process import die_with_parent
from vltune.pipeline.records import SPLITS, read_captions
from vltune.preprocessing.encoder import load
from vltune.preprocessing.extract import cache_split
from vltune.preprocessing.flip import cache_flipped
from vltune.preprocessing.images import read_image
from vltune.preprocessing.settings import Preprocess
from vltune.preprocessing.work import work_folder


def main() -> None:
    """Write data/features from data/raw and data/base/encoder."""
    die_with_parent()
    p = section(Preprocess, "preprocess")
    encoder, signature = load(ENCODER, p)
    read = partial(read_image, fit=encoder.fitting(), pixel_limit=p.pixel_limit)
    how = (read, encoder.encode, (signature["tokens"], signature["width"]), p.batch_size,
           p.max_unreadable_share)
    listed = {split: read_captions(captions(split)).images for split in SPLITS}
    with work_folder(p, signature, listed).kept() as work:
        for split, records in listed.items():
            given = (records, images(split), work.folder)
            unreadable = cache_split(*given, split, *how)
            if p.flip and split == "train":
                cache_flipped(*given, *how)
            if workers.rank() == 0:
                report(split, unreadable, len(records))
        if workers.rank() == 0:
            write_json(work.folder / "signature.json", signature)
            work.become(FEATURES)


def report(split: str, unreadable: dict[str, str], count: int) -> None:
    """Name the files of a split of `count` images that could not be read."""
    for name, reason in unreadable.items():
        sys.stderr.write(f"left out: {split}/{name}: {reason}\n")
    if unreadable:
        sys.stderr.write(f"{split}: {len(unreadable)} of {count} images could not be read\n")


if __name__ == "__main__":
    launch.run(main)
