"""COCO's own files of captions, captions_train2017.json and captions_val2017.json, or those of 2014.

The captions of its test split are not public. So its val split is test, which is what papers with the files
of 2017 report, and val is a part of train: the images that `fetch.val_share` selects by a hash of their ids.
The ids of 2014 and 2017 are the same, and so are those of VQAv2's questions.

Source: Chen et al. 2015, Microsoft COCO captions: data collection and evaluation server, section 2.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.records import read_captions
from vltune.sources.karpathy import LICENCE, Questions
from vltune.sources.locate import locate
from vltune.sources.request import Request
from vltune.sources.writer import writing

YEARS = ("2017", "2014")
FOLDERS = ("", "annotations")  # of the files of captions


def convert(request: Request, read_questions: Questions | None) -> None:
    """Write data/raw from the files of one year and the images in train2017/ and val2017/, or in images/.

    Args: read_questions, `vqav2.read` if the data set has questions.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    source = request.location()
    files = _files(source)
    split_of: dict[int | str, tuple[str, int | str]] = {}
    with writing(request, LICENCE, "COCO; test is the official val, val a part of its train") as writer:
        writer.source["source"] = ", ".join(path.name for path in files.values())
        for part, path in files.items():
            captions = read_captions(path)
            references = captions.by_image()
            folders = (part, f"images/{part}", "images", ".")
            for image in tqdm(captions.images, part, unit="image", mininterval=2):
                split = "test" if part.startswith("val") else request.rules.split_of_training(str(image.id))
                file = locate(source, image.file_name, folders)
                writer.take(split, image, file, references[image.id])
                split_of[image.id] = (split, image.id)
        if read_questions is not None:
            for split, questions in read_questions(source, split_of).items():
                writer.ask(split, questions)


def _files(source: Path) -> dict[str, Path]:
    """Find the files of captions by the names of their parts, such as train2017.

    Raises:
        InputError: no year's two files are there, or both years' are; names them.
    """
    complete = []
    for year in YEARS:
        names = {part: f"captions_{part}.json" for part in (f"train{year}", f"val{year}")}
        files = {part: locate(source, name, FOLDERS) for part, name in names.items()}
        if all(file.is_file() for file in files.values()):
            complete.append(files)
    if len(complete) != 1:
        what = "both years' files are" if complete else "none of them is complete"
        raise InputError(
            f"{source}: expected COCO as dataset_coco.json (Karpathy's split), or as "
            f"captions_train2017.json and captions_val2017.json, or as the same of 2014, here or in "
            f"annotations/; {what} there"
        )
    return complete[0]
