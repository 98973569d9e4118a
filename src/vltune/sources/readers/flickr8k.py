"""Flickr8k in its official split: Karpathy's dataset_flickr8k.json, or the lists that its authors published.

Source: Hodosh, Young and Hockenmaier 2013, Framing Image Description as a Ranking Task; Karpathy and Fei-Fei
2015 for dataset_flickr8k.json.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Image, sentence
from vltune.sources import karpathy
from vltune.sources.lines import read_lines
from vltune.sources.locate import locate, required
from vltune.sources.request import Request
from vltune.sources.writer import writing

TOKENS = "Flickr8k.token.txt"
LISTS = {
    "train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
TEXT_FOLDERS = ("", "Flickr8k_text", "Flickr_TextData")
IMAGE_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset", "images",
                 "Images", "")  # the authors' archive is misspelt
WHAT = ("Flickr8k is dataset_flickr8k.json (Karpathy's) or "
        f"{', '.join((TOKENS, *LISTS.values()))} (the authors'), with the images")


def read(request: Request) -> None:
    """Write data/raw from a folder with either form and the images.

    Raises:
        InputError: a file is missing or has another form; names the file and the line.
    """
    source = request.location()
    if (source / "dataset_flickr8k.json").is_file():
        karpathy.convert(request, None)
        return
    references = _captions(required(source, TOKENS, TEXT_FOLDERS, WHAT))
    lists = {split: required(source, name, TEXT_FOLDERS, WHAT) for split, name in LISTS.items()}
    number = 0
    with writing(request, karpathy.LICENCE, "flickr8k, official split") as writer:
        writer.source["source"] = TOKENS
        for split, path in lists.items():
            for where, name in tqdm(read_lines(path), split, unit="image", mininterval=2):
                if name not in references:
                    raise InputError(f"{where}: {name!r} has no captions, or stands twice")
                file = locate(source, name, IMAGE_FOLDERS)
                writer.take(split, Image(number, name), file, references.pop(name))
                number += 1
    if references:
        sys.stderr.write(
            f"Flickr8k: {len(references)} images with captions are in no split, and are left out\n"
        )


def _captions(path: Path) -> dict[str, list[str]]:
    """Read lines of name, #, number, tab and caption: the captions by the names of images."""
    references: dict[str, list[str]] = defaultdict(list)
    for where, line in read_lines(path):
        label, tab, text = line.partition("\t")
        name, _, number = label.rpartition("#")
        if not tab or not name or not number.isdigit():
            raise InputError(f"{where}: expected NAME.jpg#NUMBER, a tab and a caption, found {line!r}")
        references[name].append(sentence(where, "caption", text))
    return dict(references)
