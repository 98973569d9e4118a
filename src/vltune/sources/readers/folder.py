"""Your own data: images/{train,val,test}/ and captions_{split}.json in COCO caption format.

Questions are taken if there are any: questions_{split}.json with answers_{split}.json, in VQAv2 format.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, replaced, write_json
from vltune.pipeline.questions import Question, read_questions
from vltune.pipeline.records import SPLITS, Captions, read_captions
from vltune.sources.request import Request
from vltune.sources.split import SplitWriter


def read(request: Request) -> None:
    """Write data/raw from such a folder; SOURCE.json is taken over if there is one.

    Raises:
        InputError: a file is missing or has another form, captions or questions are for images that aren't
            there, or an image is in two splits; names the file and the row.
    """
    source, folder = request.location(), request.folder
    splits = {name: read_captions(source / f"captions_{name}.json") for name in SPLITS}
    owners: dict[int | str, str] = {}
    for name, captions in splits.items():
        for image in captions.images:
            if image.id in owners:
                raise InputError(
                    f"{source / f'captions_{name}.json'}: image {image.id!r} is in {owners[image.id]} too; "
                    "splits must not share images"
                )
            owners[image.id] = name
    questions = {name: _questions(source, name, captions) for name, captions in splits.items()}
    with replaced(folder) as part:
        caption_id, tables = 0, {}
        for name, captions in splits.items():
            split, references = SplitWriter(part, name), captions.by_image()
            for image in tqdm(captions.images, name, unit="image", mininterval=2):
                split.take(
                    image, source / "images" / name / image.file_name, references[image.id], caption_id
                )
                caption_id += len(references[image.id])
            split.ask(questions[name])
            tables[name] = split.write({"description": "own data", "split": name})
        source_info = (
            read_json(source / "SOURCE.json")
            if (source / "SOURCE.json").is_file()
            else {"licence": "not given"}
        )
        counts = {name: len(captions.images) for name, captions in splits.items()}
        write_json(
            part / "SOURCE.json",
            {"dataset": "folder"} | source_info | {"images": counts, "questions": tables},
        )


def _questions(source: Path, name: str, captions: Captions) -> list[Question]:
    files = (source / f"questions_{name}.json", source / f"answers_{name}.json")
    there = [file for file in files if file.is_file()]
    if not there:
        return []
    if len(there) == 1:
        missing = next(file for file in files if file not in there)
        raise InputError(
            f"{missing}: no such file, but there is {there[0].name}; questions and answers belong together"
        )
    return read_questions(*files, {image.id for image in captions.images})
