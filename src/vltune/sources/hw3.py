"""The layout of the course that this project grew out of: images/{train,val}/ with train.json and val.json.

It has no test split that can be read, so val is cut in two by a hash of the file name: a third selects, the rest is reported.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.files import replaced, write_json
from vltune.pipeline.randomness import derive
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources.split import Split


def convert(source: Path, folder: Path) -> None:
    """Write data/raw from the folder that holds train.json, val.json and images/.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    counts = dict.fromkeys(SPLITS, 0)
    with replaced(folder) as part:
        splits = {name: Split(part, name) for name in SPLITS}
        caption_id = 0
        for given in ("train", "val"):
            captions = read_captions(source / f"{given}.json")
            references = captions.by_image()
            for image in tqdm(captions.images, given, unit="image", mininterval=2):
                name = "train" if given == "train" else ("val", "test", "test")[derive(0, image.file_name) % 3]
                splits[name].take(image, source / "images" / given / image.file_name, references[image.id], caption_id)
                caption_id += len(references[image.id])
                counts[name] += 1
        tables = {name: split.write({"description": "course data", "split": name}) for name, split in splits.items()}
        write_json(part / "SOURCE.json", {
            "dataset": "hw3", "licence": "of the images' and captions' owners", "images": counts, "questions": tables,
            "splits": "test is two thirds of the course's val, chosen by a hash of the file name"})
