"""Captions and questions in tables, a row for each: captions.csv (image, caption), questions.csv (image,
question, answer), the same as JSON lines, or captions.json in COCO caption format.

The split of an image is in the column `split`, or is made by a hash of its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import ANSWER_TYPES, Question
from vltune.pipeline.records import SPLITS, Image, checked_name, read_captions, sentence
from vltune.pipeline.rows import read_rows
from vltune.sources.lines import read_table
from vltune.sources.locate import locate
from vltune.sources.question_types import answer_type, question_type
from vltune.sources.request import Request
from vltune.sources.rules import Rules
from vltune.sources.writer import writing

ENDINGS = (".csv", ".jsonl", ".json")
ALIASES = {name: name for name in SPLITS} | {"validation": "val", "dev": "val"}


def find(source: Path, stem: str, endings: tuple[str, ...] = ENDINGS) -> Path | None:
    """Find the table of captions or of questions; None if there is none.

    Raises:
        InputError: it is there in several forms; names them.
    """
    files = [source / f"{stem}{ending}" for ending in endings if (source / f"{stem}{ending}").is_file()]
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise InputError(f"{source}: {names} are there, expected one of them")
    return files[0] if files else None


def convert(request: Request, source: Path, licence: str, description: str) -> None:
    """Write data/raw from the tables and the images, which are in images/ or beside them.

    Raises:
        InputError: a file has another form, or an image is not there; names the file and the row.
    """
    texts = _Texts(request.rules)
    captions, questions = find(source, "captions"), find(source, "questions", ENDINGS[:2])
    for where, image, split, caption in _captions(captions) if captions else ():
        texts.at(where, image, split).captions.append(sentence(where, "caption", caption))
    for where, row in _questions(questions) if questions else ():
        texts.ask(where, row)
    with writing(request, licence, description) as writer:
        writer.source["source"] = ", ".join(path.name for path in (captions, questions) if path)
        for (split, name), entry in tqdm(texts.entries.items(), "images", unit="image", mininterval=2):
            file = locate(source, name, ("images", "", f"images/{split}"))
            writer.take(split, Image(name, name), file, entry.captions)
            writer.ask(split, [*entry.questions.values()])


def _captions(path: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield where each caption is, its image, its split (None if not given) and its text."""
    if path.suffix != ".json":
        for where, row in read_table(path, ("image", "caption"), ("split",)):
            for text in _several(row["caption"]):
                yield where, row["image"], row["split"], text
        return
    content = read_captions(path)
    splits = [row.get("split") for _, _, row in read_rows(path, ("images",), "COCO caption format")]
    references = content.by_image()
    for i, (image, split) in enumerate(zip(content.images, splits, strict=True)):
        for text in references[image.id]:
            yield f"{path}: images[{i}]", image.file_name, split, text


def _questions(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    return read_table(path, ("image", "question", "answer"), ("split", "question_type", "answer_type"))


def _several(value: Any) -> list[Any]:
    """Give the texts of a cell, which is a list in some files of JSON lines."""
    return value if isinstance(value, list) else [value]


@dataclass
class _Entry:
    """The captions of an image in a split, and its questions by their texts."""

    captions: list[str] = field(default_factory=list)
    questions: dict[str, Question] = field(default_factory=dict)


class _Texts:
    """Collects the texts of all images; `entries` are by split and image."""

    def __init__(self, rules: Rules) -> None:
        self.entries: dict[tuple[str, str], _Entry] = {}
        self._rules = rules
        self._splits: dict[str, list[str]] = {}
        self._asked = 0

    def at(self, where: str, image: Any, split: Any) -> _Entry:
        """Give the entry of an image; its split is the given one, that of its other rows, or by its hash."""
        checked_name(where, image)
        splits = self._splits.setdefault(image, [])
        if split is None and len(splits) > 1:
            raise InputError(f"{where} has no split, and {image} is in {' and in '.join(splits)}")
        if split is None:
            split = splits[0] if splits else self._rules.split_of(image)
        if not isinstance(split, str) or split.strip().lower() not in ALIASES:
            raise InputError(f"{where} has split {split!r}, expected one of {', '.join(SPLITS)}")
        split = ALIASES[split.strip().lower()]
        if split not in splits:
            splits.append(split)
        return self.entries.setdefault((split, image), _Entry())

    def ask(self, where: str, row: dict[str, Any]) -> None:
        """Add a row of the table of questions; equal questions about an image have several answers."""
        answers = [str(answer) if type(answer) is int else answer for answer in _several(row["answer"])]
        answers = [sentence(where, "answer", answer) for answer in answers]
        text = sentence(where, "question", row["question"])
        questions = self.at(where, row["image"], row["split"]).questions
        if not answers:
            raise InputError(f"{where} has an empty list of answers")
        if text in questions:
            questions[text].answers.extend(answers)
            return
        asked = sentence(where, "question_type", row["question_type"] or question_type(text))
        answered = row["answer_type"] or answer_type(answers[0])
        if answered not in ANSWER_TYPES:
            raise InputError(
                f"{where} has answer_type {answered!r}, expected one of {', '.join(ANSWER_TYPES)}"
            )
        questions[text] = Question(self._asked, row["image"], text, asked, answered, answers)
        self._asked += 1
