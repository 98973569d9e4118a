"""Features of the images of all splits, from the frozen encoder."""

from __future__ import annotations

import sys
from functools import partial

from vltune.pipeline import workers
from vltune.pipeline.files import write_json
from vltune.pipeline.paths import ENCODER, FEATURES, captions, images
from vltune.pipeline.records import SPLITS, read_captions
from vltune.preprocessing.encoder import load
from vltune.preprocessing.extract import cache_split
from vltune.preprocessing.flip import cache_flipped
from vltune.preprocessing.images import read_image
from vltune.preprocessing.settings import Preprocess
from vltune.preprocessing.work import work_folder


def preprocess(settings: Preprocess) -> None:
    """Write data/features from data/raw and data/base/encoder, whole; a killed call goes on at the next one.

    Raises:
        InputError: more images of a split than are allowed cannot be read, or another process is doing the
            same.
    """
    encoder, signature = load(ENCODER, settings)
    read = partial(read_image, fit=encoder.fitting(), pixel_limit=settings.pixel_limit)
    how = (read, encoder.encode, (signature["tokens"], signature["width"]), settings.batch_size,
           settings.max_unreadable_share)
    listed = {split: read_captions(captions(split)).images for split in SPLITS}
    with work_folder(settings, signature, listed).kept() as work:
        for split, records in listed.items():
            given = (records, images(split), work.folder)
            unreadable = cache_split(*given, split, *how)
            if settings.flip and split == "train":
                cache_flipped(*given, *how)
            if workers.rank() == 0:
                _report(split, unreadable, len(records))
        if workers.rank() == 0:
            write_json(work.folder / "signature.json", signature)
            work.become(FEATURES)


def _report(split: str, unreadable: dict[str, str], count: int) -> None:
    for name, reason in unreadable.items():
        sys.stderr.write(f"left out: {split}/{name}: {reason}\n")
    if unreadable:
        sys.stderr.write(f"{split}: {len(unreadable)} of {count} images could not be read\n")
