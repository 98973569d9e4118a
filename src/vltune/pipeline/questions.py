"""Questions about images and what was answered, in the VQAv2 format: reading and writing them with checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.records import fields, read_list, repeated

ANSWER_TYPES = ("yes/no", "number", "other")


@dataclass(frozen=True)
class Question:
    """A question about an image, its kind, the kind of its answer, and the answers that people gave (VQAv2: ten)."""

    id: int
    image_id: int | str
    question: str
    question_type: str
    answer_type: str
    answers: list[str]

    @property
    def answer(self) -> str:
        """The answer that was given most often; of several the first."""
        return Counter(self.answers).most_common(1)[0][0]


@dataclass(frozen=True)
class Answered:
    """What a model answered, beside what people did; `other_image` and `mean_image` are its answers when it is blind:
    given the features of another image, and the mean features of all images."""

    question_id: int
    image_id: int | str
    file_name: str
    question: str
    question_type: str
    answer_type: str
    answer: str
    other_image: str
    mean_image: str
    answers: list[str]


def read_questions(questions: Path, answers: Path, known: set[int | str]) -> list[Question]:
    """Read a split's questions and join their answers; `known` are the ids of the split's images.

    Raises:
        InputError: a key is missing, an id stands twice, a question or an answer is empty, a question is about an image that
            is not known, has no answers, or answers belong to no question; names the file and the row.
    """
    asked = _rows(questions, "questions", ("question_id", "image_id", "question"))
    given = _rows(answers, "annotations", ("question_id", "question_type", "answer_type", "answers"))
    by_id = {row["question_id"]: (i, row) for i, row in enumerate(given)}
    found = []
    for i, row in enumerate(asked):
        where = f"{questions}: questions[{i}] (id {row['question_id']})"
        if row["image_id"] not in known:
            raise InputError(f"{where} is about image {row['image_id']!r}, which is not among the split's images")
        if not isinstance(row["question"], str) or not row["question"].strip():
            raise InputError(f"{where} is empty")
        if row["question_id"] not in by_id:
            raise InputError(f"{where} has no answers in {answers}")
        place, answer = by_id.pop(row["question_id"])
        found.append(Question(row["question_id"], row["image_id"], " ".join(row["question"].split()), answer["question_type"],
                              answer["answer_type"], _answers(f"{answers}: annotations[{place}]", answer["answers"])))
        if found[-1].answer_type not in ANSWER_TYPES:
            raise InputError(f"{answers}: annotations[{place}] has answer_type {answer['answer_type']!r}, expected one of "
                             f"{', '.join(ANSWER_TYPES)}")
    if by_id:
        number, (place, _) = next(iter(by_id.items()))
        raise InputError(f"{answers}: annotations[{place}] answers question {number!r}, which is not in {questions}")
    return found


def write_questions(questions: Path, answers: Path, found: Iterable[Question], info: dict[str, Any]) -> None:
    """Write questions and answers in VQAv2 format; `info` says source, version and licence."""
    found = list(found)
    write_json(questions, {"info": info, "task_type": "Open-Ended", "questions": [
        {"image_id": one.image_id, "question": one.question, "question_id": one.id} for one in found]})
    write_json(answers, {"info": info, "annotations": [{
        "question_id": one.id, "image_id": one.image_id, "question_type": one.question_type, "answer_type": one.answer_type,
        "multiple_choice_answer": one.answer,
        "answers": [{"answer_id": i, "answer": answer, "answer_confidence": "yes"} for i, answer in enumerate(one.answers, start=1)],
    } for one in found]})


def read_answered(path: Path) -> list[Answered]:
    """Read a predictions file of the question task.

    Raises:
        InputError: it is not a list, a row lacks a key or a question stands twice; names the file and the row.
    """
    return read_list(path, "answers", Answered, "question_id")


def write_answered(path: Path, rows: Iterable[Answered]) -> None:
    """Write a predictions file of the question task whole."""
    write_json(path, [asdict(row) for row in rows])


def _rows(path: Path, name: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get(name), list):
        raise InputError(f"{path}: expected VQAv2 format, an object with a list '{name}'")
    rows = [fields(path, name, i, row, keys) for i, row in enumerate(content[name])]
    repeated(path, name, [row["question_id"] for row in rows])
    return rows


def _answers(where: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not given:
        raise InputError(f"{where}: expected a list of at least one answer, found {given!r}")
    texts = [one.get("answer") if isinstance(one, dict) else None for one in given]
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{where}.answers[{i}] is {given[i]!r}, expected an object with a text 'answer' that is not empty")
    return texts
