"""Questions and answers in the VQAv2 format, and predicted answers: reading and writing with checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.records import fields, read_list, sentence
from vltune.pipeline.rows import read_rows, write_rows

ANSWER_TYPES = ("yes/no", "number", "other")


@dataclass(frozen=True, slots=True)
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
    """A predicted answer with its question and the reference answers; None where the model was not asked.

    `other_image` and `mean_image` are the answers of the blind controls: predicted from the features of
    another image, and from the mean features of all images; None where the controls were not asked.
    """

    question_id: int
    image_id: int | str
    file_name: str
    question: str
    question_type: str
    answer_type: str
    answer: str | None
    other_image: str | None
    mean_image: str | None
    answers: list[str]


def read_questions(questions: Path, answers: Path, known: Container[int | str]) -> list[Question]:
    """Read a split's questions, row by row, and join their answers; `known` are the ids of its images.

    Raises:
        InputError: a key is missing, an id is repeated, a question or an answer is empty, a question has no
            answers or an unknown image, or answers belong to no question; names the file and the row.
    """
    by_id = _answers_by_id(answers)
    joined = []
    for i, row in _rows(questions, "questions", ("question_id", "image_id", "question")):
        where = f"{questions}: questions[{i}] (id {row['question_id']})"
        if row["image_id"] not in known:
            raise InputError(
                f"{where} is about image {row['image_id']!r}, which is not among the split's images")
        text = sentence(where, "question", row["question"])
        if row["question_id"] not in by_id:
            raise InputError(f"{where} has no answers in {answers}, or its id stands twice")
        _, question_type, answer_type, texts = by_id.pop(row["question_id"])
        joined.append(Question(row["question_id"], row["image_id"], text, question_type, answer_type, texts))
    if by_id:
        number, (index, *_) = next(iter(by_id.items()))
        raise InputError(
            f"{answers}: annotations[{index}] answers question {number!r}, which is not in {questions}")
    return joined


def _answers_by_id(path: Path) -> dict[int | str, tuple[int, str, str, list[str]]]:
    """Read the answers by the ids of questions: the row's index, question type, answer type and answers."""
    by_id = {}
    for i, row in _rows(path, "annotations", ("question_id", "question_type", "answer_type", "answers")):
        where = f"{path}: annotations[{i}]"
        texts = _answers(where, row["answers"])
        if row["answer_type"] not in ANSWER_TYPES:
            raise InputError(f"{where} has answer_type {row['answer_type']!r}, expected one of "
                             f"{', '.join(ANSWER_TYPES)}")
        if row["question_id"] in by_id:
            raise InputError(f"{where}: question {row['question_id']!r} has been answered before")
        question_type = intern(sentence(where, "question_type", row["question_type"]))
        by_id[row["question_id"]] = (i, question_type, intern(row["answer_type"]), texts)
    return by_id


def write_questions(questions: Path, answers: Path, rows: Sequence[Question], info: dict[str, Any]) -> None:
    """Write questions and answers in VQAv2 format; `info` holds source, version and licence."""
    write_rows(questions, {"info": info, "task_type": "Open-Ended"}, {"questions": (
        {"image_id": row.image_id, "question": row.question, "question_id": row.id} for row in rows)})
    write_rows(answers, {"info": info}, {"annotations": map(_annotation, rows)})


def _annotation(question: Question) -> dict[str, Any]:
    answers = [{"answer_id": i, "answer": answer, "answer_confidence": "yes"}
               for i, answer in enumerate(question.answers, start=1)]
    return {
        "question_id": question.id, "image_id": question.image_id, "question_type": question.question_type,
        "answer_type": question.answer_type, "multiple_choice_answer": question.answer, "answers": answers,
    }


def read_answer_predictions(path: Path) -> list[AnswerPrediction]:
    """Read the answers of a predictions file, which may hold captions too.

    Raises:
        InputError: it is not a list, a row lacks a key or a question is repeated; names the file and the row.
    """
    return read_list(path, "vqa", "answers", AnswerPrediction, "question_id")


def _rows(path: Path, name: str, keys: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    for _, i, row in read_rows(path, (name,), f"VQAv2 format, an object with a list '{name}'"):
        yield i, fields(path, name, i, row, keys)


def _answers(where: str, answers: Any) -> list[str]:
    """Give the texts of a row's answers; equal ones share their memory."""
    if not isinstance(answers, list) or not answers:
        raise InputError(f"{where}: expected a list of at least one answer, found {answers!r}")
    texts = [answer.get("answer") if isinstance(answer, dict) else None for answer in answers]
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{where}.answers[{i}] is {answers[i]!r}, expected an object with a text "
                             "'answer' that is not empty")
        sentence(f"{where}.answers[{i}]", "answer", text)
    return [intern(text) for text in texts]
