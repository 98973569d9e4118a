"""COCO, Flickr30k and Flickr8k in the splits that papers report: Karpathy's dataset_NAME.json.

Source: Karpathy and Fei-Fei 2015, Deep Visual-Semantic Alignments; `restval` is part of train, as is the
custom.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question
from vltune.pipeline.records import Image, checked_name, fields, sentence
from vltune.pipeline.rows import read_rows
from vltune.sources.locate import locate
from vltune.sources.request import Request
from vltune.sources.writer import writing

NAMES = {"train": "train", "restval": "train", "val": "val", "test": "test"}
FORM = "Karpathy's format, an object with a list 'images'"
LICENCE = (
    "images: the terms of the photographs' owners; captions: CC BY 4.0 (COCO), see the data set's page "
    "(Flickr); "
    "questions: CC BY 4.0 (VQAv2)"
)


Questions = Callable[[Path, dict[int, tuple[str, int | str]]], dict[str, list[Question]]]


def convert(request: Request, read_questions: Questions | None) -> None:
    """Write data/raw from a folder with dataset_NAME.json
    and the images (in `filepath`, in images/, or beside it).

    Args: read_questions, `vqav2.read` if the data set has questions.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    source = request.location()
    path = source / f"dataset_{request.dataset}.json"
    split_of: dict[int | str, tuple[str, int]] = {}  # by COCO's id of an image, which VQAv2 uses
    with writing(request, LICENCE, f"{request.dataset}, Karpathy's split") as writer:
        writer.source["source"] = path.name
        for _, number, row in read_rows(path, ("images",), FORM):
            split, file, references = _image(path, number, row)
            folders = (*dict.fromkeys((file.parent.as_posix(), f"images/{file.parent}", "images", ".")),)
            image = Image(number, file.name)
            writer.take(split, image, locate(source, file.name, folders), references)
            if read_questions is not None:
                coco_id = fields(path, "images", number, row, ("cocoid",))["cocoid"]
                if coco_id in split_of:
                    raise InputError(f"{path}: images[{number}]: cocoid {coco_id!r} stands twice")
                split_of[coco_id] = (split, number)
        if read_questions is not None:
            for split, questions in read_questions(source, split_of).items():
                writer.ask(split, questions)


def _image(path: Path, number: int, row: Any) -> tuple[str, Path, list[str]]:
    """Check a row of the file: give its split, its file and its captions."""
    image = fields(path, "images", number, row, ("filename", "split", "sentences"))
    where = f"{path}: images[{number}]"
    if not isinstance(image["split"], str) or image["split"] not in NAMES:
        raise InputError(f"{where} has split {image['split']!r}, expected one of {', '.join(NAMES)}")
    if not isinstance(image["sentences"], list):
        raise InputError(f"{where} has the sentences {image['sentences']!r}, expected a list")
    texts = [
        fields(path, f"images[{number}].sentences", i, text, ("raw",))["raw"]
        for i, text in enumerate(image["sentences"])
    ]
    checked_name(where, image["filename"])
    checked_name(where, row.get("filepath", "."))
    references = [sentence(where, "caption", text) for text in texts if not _blank(text)]
    return NAMES[image["split"]], Path(row.get("filepath", "."), image["filename"]), references


def _blank(text: Any) -> bool:
    return isinstance(text, str) and not text.strip()
