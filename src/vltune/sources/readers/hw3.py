"""The layout of the course that this project grew out of: images/{train,val}/ with train.json and val.json.

It has no test split that can be read, so val is cut in two by
a hash of the file name: a third selects, the rest is reported.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced, write_json
from vltune.pipeline.randomness import derive
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources.request import Request
from vltune.sources.split import SplitWriter

EDITIONS = ("", "hw3_data", "p2_data", "hw3_data/p2_data")  # where the editions of the course keep the files


def folder_of(location: Path) -> Path:
    """Find the folder with train.json: the given one, or the
    one inside it that an edition of the course's archive has.

    Raises:
        InputError: none has it; names them.
    """
    for name in EDITIONS:
        if (location / name / "train.json").is_file():
            return location / name
    raise InputError(
        f"{location / 'train.json'}: no such file; looked also in "
        f"{', '.join(name for name in EDITIONS if name)}"
    )


def read(request: Request) -> None:
    """Write data/raw from the folder that holds train.json,
    val.json and images/, or from one that holds this folder.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    source, counts = folder_of(request.location()), dict.fromkeys(SPLITS, 0)
    with replaced(request.folder) as part:
        splits = {name: SplitWriter(part, name) for name in SPLITS}
        caption_id = 0
        for part_name in ("train", "val"):
            captions = read_captions(source / f"{part_name}.json")
            references = captions.by_image()
            for image in tqdm(captions.images, part_name, unit="image", mininterval=2):
                name = (
                    "train"
                    if part_name == "train"
                    else ("val", "test", "test")[derive(0, image.file_name) % 3]
                )
                splits[name].take(
                    image, source / "images" / part_name / image.file_name, references[image.id], caption_id
                )
                caption_id += len(references[image.id])
                counts[name] += 1
        tables = {
            name: split.write({"description": "course data", "split": name}) for name, split in splits.items()
        }
        write_json(
            part / "SOURCE.json",
            {
                "dataset": "hw3", "licence": "of the images' and captions' owners", "images": counts,
                "questions": tables,
                "splits": "test is two thirds of the course's val, chosen by a hash of the file name",
            },
        )
