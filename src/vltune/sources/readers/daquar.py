"""DAQUAR, questions about photographs of rooms, without captions: its authors' text files, or VQAv2's form.

The authors' files have a question and its answer on two lines, and the name of the image at the end of the
question. They have no val split: a part of train is val, by a hash of the image (`fetch.val_share`).

Source: Malinowski and Fritz 2014, A Multi-World Approach to Question Answering about Real-World Scenes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question
from vltune.pipeline.records import Image
from vltune.sources import own_splits
from vltune.sources.lines import read_lines
from vltune.sources.locate import locate
from vltune.sources.question_types import answer_type, question_type
from vltune.sources.request import Request
from vltune.sources.writer import writing

EDITIONS = ("894", "37")  # classes of objects in the answers: the whole data set, the reduced one
FOLDERS = ("nyu_depth_images", "images", "")
ENDINGS = (".png", ".jpg")
LICENCE = "photographs: NYU Depth V2 (Silberman et al. 2012), for research; questions: of their authors"
NAMED = re.compile(  # a question, "in the", the name of its image
    r"^(.*?)\s*(?:\b(?:in|on|of|at)\s+)?(?:\b(?:the|this)\s+)?\b(image\d+)\s*\?*$", re.IGNORECASE)


def read(request: Request) -> None:
    """Write data/raw from a folder with either form and the images.

    Raises:
        InputError: a file is missing or has another form; names the file and the line.
    """
    source = request.location()
    for edition in EDITIONS:
        files = {name: source / f"qa.{edition}.raw.{name}.txt" for name in ("train", "test")}
        if all(file.is_file() for file in files.values()):
            _convert(request, source, files)
            return
    if not (source / "questions_train.json").is_file():
        raise InputError(
            f"{source}: expected qa.894.raw.train.txt and qa.894.raw.test.txt (or those of qa.37), or "
            "questions_train.json with answers_train.json (and val, test) in VQAv2's form, with the images"
        )
    own_splits.convert(request, source, LICENCE, "DAQUAR")


def _convert(request: Request, source: Path, files: dict[str, Path]) -> None:
    number, known = 0, set()
    with writing(request, LICENCE, "DAQUAR, official test split") as writer:
        writer.source["source"] = ", ".join(file.name for file in files.values())
        for part, file in files.items():
            for name, text, answer in tqdm(_pairs(file), part, unit="question", mininterval=2):
                split = "test" if part == "test" else request.rules.split_of_training(name)
                if (split, name) not in known:
                    path = _image(source, name)
                    writer.take(split, Image(name, path.name), path, [])
                    known.add((split, name))
                types = question_type(text), answer_type(answer)
                writer.ask(split, [Question(number, name, text, *types, [answer])])
                number += 1


def _image(source: Path, name: str) -> Path:
    paths = [locate(source, name + ending, FOLDERS) for ending in ENDINGS]
    return next((path for path in paths if path.is_file()), paths[0])


def _pairs(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the image, the question without it and the answer of each pair of lines."""
    lines = read_lines(file)
    for where, line in lines:
        named = NAMED.match(line)
        if named is None or not named[1].strip(" ?"):
            raise InputError(f"{where}: expected a question that ends with its image, as in 'what is on the "
                             f"desk in the image3 ?', found {line!r}")
        answer = next(lines, None)
        if answer is None:
            raise InputError(f"{where}: the question has no line with its answer")
        yield named[2].lower(), " ".join(named[1].split()) + "?", " ".join(answer[1].split())
