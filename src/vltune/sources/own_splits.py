"""Files of captions and questions that are divided into splits: captions_train.json and so on.

Captions are in COCO caption format, questions_train.json and answers_train.json in VQAv2's. A split has
captions, questions or both. Without captions an image's id is the name of its file, with or without ending.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.questions import Question, read_questions
from vltune.pipeline.records import SPLITS, Captions, Image, read_captions, sentence
from vltune.sources.request import Request
from vltune.sources.vqav2 import Everything
from vltune.sources.writer import writing


def convert(request: Request, source: Path, licence: str, description: str) -> None:
    """Write data/raw from such files and images/{train,val,test}/; SOURCE.json is taken over if there is one.

    Raises:
        InputError: a file is missing or has another form, or an image is not there; names file and row.
    """
    splits = {name: _read(source, name) for name in SPLITS}
    with writing(request, licence, description) as writer:
        for name, (captions, questions) in splits.items():
            references = captions.by_image()
            for image in tqdm(captions.images, name, unit="image", mininterval=2):
                file = source / "images" / name / image.file_name
                writer.take(name, image, file, references[image.id])
            writer.ask(name, questions)
        if (source / "SOURCE.json").is_file():
            writer.source |= _source(source / "SOURCE.json")


def _source(file: Path) -> dict[str, Any]:
    content = read_json(file)
    if not isinstance(content, dict):
        raise InputError(f"{file}: expected an object, found {content!r}")
    sentence(str(file), "content", json.dumps(content, ensure_ascii=False))
    return content


def _read(source: Path, name: str) -> tuple[Captions, list[Question]]:
    """Read a split; without a file of captions its images are those that the questions are about."""
    captions_file = source / f"captions_{name}.json"
    files = (source / f"questions_{name}.json", source / f"answers_{name}.json")
    there = [file for file in files if file.is_file()]
    if len(there) == 1:
        missing = next(file for file in files if file not in there)
        raise InputError(
            f"{missing}: no such file, but there is {there[0].name}; questions and answers belong together"
        )
    if captions_file.is_file() or not there:
        captions = read_captions(captions_file)
        return captions, read_questions(*files, {image.id for image in captions.images}) if there else []
    questions = read_questions(*files, Everything())
    return Captions(_images(files[0], source / "images" / name, questions), []), questions


def _images(file: Path, folder: Path, questions: list[Question]) -> list[Image]:
    """Find the images of questions, in their order, by the names of files with or without their ending."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    by_id = {Path(name).stem: name for name in names} | {name: name for name in names}
    ids = dict.fromkeys(question.image_id for question in questions)
    lost = [image_id for image_id in ids if str(image_id) not in by_id]
    if lost:
        raise InputError(
            f"{file}: {len(lost)} of {len(ids)} images are not in {folder}, the first is {lost[0]!r}; "
            f"without {file.name.replace('questions', 'captions')} an image's id must be the name of its file"
        )
    return [Image(image_id, by_id[str(image_id)]) for image_id in ids]
