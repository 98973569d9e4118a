"""The layout of the course that this project grew out of: images/{train,val}/ with train.json and val.json.

It has no test split that can be read, so val is cut in two by
a hash of the file name: a third selects, the rest is reported.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.randomness import derive
from vltune.pipeline.records import Image, read_captions
from vltune.sources.course import FOLDERS
from vltune.sources.request import Request
from vltune.sources.writer import writing


def folder_of(location: Path) -> Path:
    """Find the folder with train.json: the given one, or the
    one inside it that an edition of the course's archive has.

    Raises:
        InputError: none has it; names them.
    """
    for name in FOLDERS:
        if (location / name / "train.json").is_file():
            return location / name
    raise InputError(
        f"{location / 'train.json'}: no such file; looked also in "
        f"{', '.join(name for name in FOLDERS if name)}"
    )


def read(request: Request) -> None:
    """Write data/raw from the folder that holds train.json,
    val.json and images/, or from one that holds this folder.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    source = folder_of(request.location())
    with writing(request, "of the images' and captions' owners", "course data") as writer:
        writer.source["splits"] = "test is two thirds of the course's val, chosen by a hash of the file name"
        for part in ("train", "val"):
            captions = read_captions(source / f"{part}.json")
            references = captions.by_image()
            for image in tqdm(captions.images, part, unit="image", mininterval=2):
                split = part if part == "train" else ("val", "test", "test")[derive(0, image.file_name) % 3]
                file = source / "images" / part / image.file_name
                unique = f"{part}-{image.id}"  # each file counts its images anew
                writer.take(split, Image(unique, image.file_name), file, references[image.id])
