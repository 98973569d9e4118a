"""Questions and answers in the VQAv2 format, and predicted answers: reading and writing with checks."""

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
    """A question about an image, its type, the type of its answer, and the reference answers (VQAv2: ten)."""

    id: int
    image_id: int | str
    question: str
    question_type: str
    answer_type: str
    answers: list[str]

    @property
    def answer(self) -> str:
        """The most frequent reference answer; the first of those with equal counts."""
        return Counter(self.answers).most_common(1)[0][0]


@dataclass(frozen=True)
class AnswerPrediction:
    """A predicted answer with its question and the reference answers.

    `other_image` and `mean_image` are the answers of the blind controls: predicted from the features of
    another image, and from the mean features of all images; None where the controls were not asked.
    """

    question_id: int
    image_id: int | str
    file_name: str
    question: str
    question_type: str
    answer_type: str
    answer: str
    other_image: str | None
    mean_image: str | None
    answers: list[str]


def read_questions(questions: Path, answers: Path, known: set[int | str]) -> list[Question]:
    """Read a split's questions and join their answers; `known` are the ids of the split's images.

    Raises:
        InputError: a key is missing, an id is repeated, a question or an answer is empty, a question has no
            answers or an unknown image, or answers belong to no question; names the file and the row.
    """
    question_rows = _rows(questions, "questions", ("question_id", "image_id", "question"))
    answer_rows = _rows(answers, "annotations", ("question_id", "question_type", "answer_type", "answers"))
    by_id = {row["question_id"]: (i, row) for i, row in enumerate(answer_rows)}
    joined = []
    for i, row in enumerate(question_rows):
        where = f"{questions}: questions[{i}] (id {row['question_id']})"
        if row["image_id"] not in known:
            raise InputError(
                f"{where} is about image {row['image_id']!r}, which is not among the split's images")
        if not isinstance(row["question"], str) or not row["question"].strip():
            raise InputError(f"{where} is empty")
        if row["question_id"] not in by_id:
            raise InputError(f"{where} has no answers in {answers}")
        index, answer = by_id.pop(row["question_id"])
        annotation = f"{answers}: annotations[{index}]"
        texts = _answers(annotation, answer["answers"])
        if answer["answer_type"] not in ANSWER_TYPES:
            raise InputError(f"{annotation} has answer_type {answer['answer_type']!r}, expected one of "
                             f"{', '.join(ANSWER_TYPES)}")
        joined.append(Question(
            row["question_id"], row["image_id"], " ".join(row["question"].split()), answer["question_type"],
            answer["answer_type"], texts))
    if by_id:
        number, (index, _) = next(iter(by_id.items()))
        raise InputError(
            f"{answers}: annotations[{index}] answers question {number!r}, which is not in {questions}")
    return joined


def write_questions(questions: Path, answers: Path, rows: Iterable[Question], info: dict[str, Any]) -> None:
    """Write questions and answers in VQAv2 format; `info` holds source, version and licence."""
    rows = list(rows)
    write_json(questions, {"info": info, "task_type": "Open-Ended", "questions": [
        {"image_id": row.image_id, "question": row.question, "question_id": row.id} for row in rows]})
    write_json(answers, {"info": info, "annotations": [_annotation(row) for row in rows]})


def _annotation(question: Question) -> dict[str, Any]:
    answers = [{"answer_id": i, "answer": answer, "answer_confidence": "yes"}
               for i, answer in enumerate(question.answers, start=1)]
    return {
        "question_id": question.id, "image_id": question.image_id, "question_type": question.question_type,
        "answer_type": question.answer_type, "multiple_choice_answer": question.answer, "answers": answers,
    }


def read_answer_predictions(path: Path) -> list[AnswerPrediction]:
    """Read a predictions file of the question task.

    Raises:
        InputError: it is not a list, a row lacks a key or a question is repeated; names the file and the row.
    """
    return read_list(path, "answers", AnswerPrediction, "question_id")


def write_answer_predictions(path: Path, rows: Iterable[AnswerPrediction]) -> None:
    """Write a predictions file of the question task atomically."""
    write_json(path, [asdict(row) for row in rows])


def _rows(path: Path, name: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get(name), list):
        raise InputError(f"{path}: expected VQAv2 format, an object with a list '{name}'")
    rows = [fields(path, name, i, row, keys) for i, row in enumerate(content[name])]
    repeated(path, name, [row["question_id"] for row in rows])
    return rows


def _answers(where: str, answers: Any) -> list[str]:
    if not isinstance(answers, list) or not answers:
        raise InputError(f"{where}: expected a list of at least one answer, found {answers!r}")
    texts = [answer.get("answer") if isinstance(answer, dict) else None for answer in answers]
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{where}.answers[{i}] is {answers[i]!r}, expected an object with a text "
                             "'answer' that is not empty")
    return texts
