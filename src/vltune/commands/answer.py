"""vltune answer: answer questions about images."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from vltune.commands import images, output
from vltune.commands.inference import Model
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.records import fields, repeated
from vltune.prediction.answer import answer


def generate_answers(model: Model, features: Tensor, questions: Sequence[Sequence[str]]) -> list[list[str]]:
    """Answer the questions about each image given by its features [b, k, w]."""
    return answer(model.vlm, features, questions, model.tokenizer, model.predict_settings.max_answer_tokens)


def answer_question(image: Path, question: str, method: str, seed: int, root: Path) -> None:
    """Print the answer to a question about an image.

    Raises:
        InputError: the question is empty, or the image cannot be read.
    """
    if not question.strip():
        raise InputError("the question is empty")
    if not image.is_file():
        raise InputError(f"{image}: no such file")
    model = Model(root, method, "vqa", seed, None)
    encoded = next(model.encode([image]), None)
    if encoded is None:
        raise InputError(f"{image}: cannot be read as an image")
    [[text]] = generate_answers(model, encoded[0], [[" ".join(question.split())]])
    sys.stdout.write(f"{text}\n")


def answer_file(questions: Path, folder: Path, out: Path | None, method: str, seed: int, root: Path) -> None:
    """Answer a question file in VQAv2 format about the images of a folder; write [{"question_id", "answer"}].

    Raises:
        InputError: the input is wrong, or (at the end) images
            could not be read and their questions were left out.
    """
    output.check_file(out)
    rows = read_question_rows(questions)
    paths = image_paths(questions, rows, folder)
    model = Model(root, method, "vqa", seed, None)
    by_path: dict[Path, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_path[paths[row["image_id"]]].append(row)
    answers: list[dict[str, Any]] = []
    with output.written_at_end(answers, out), output.progress(len(rows), "question") as bar:
        for features, batch in model.encode(list(by_path)):
            groups = [by_path[path] for path in batch]
            questions_of_groups = [[row["question"] for row in group] for group in groups]
            texts = generate_answers(model, features, questions_of_groups)
            for group, group_texts in zip(groups, texts, strict=True):
                answers += [{"question_id": row["question_id"], "answer": text}
                            for row, text in zip(group, group_texts, strict=True)]
            bar.update(sum(map(len, groups)))
    output.check_complete(len(rows) - len(answers), len(rows), folder)


def read_question_rows(path: Path) -> list[dict[str, Any]]:
    """Read the questions of a VQAv2 question file.

    Raises:
        InputError: the file has another format, a question is empty or an id is repeated; names the row.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("questions"), list):
        raise InputError(f"{path}: expected VQAv2 format, an object with a list 'questions'")
    names = ("question_id", "image_id", "question")
    rows = [fields(path, "questions", i, row, names) for i, row in enumerate(content["questions"])]
    if not rows:
        raise InputError(f"{path}: there are no questions in it")
    for i, row in enumerate(rows):
        if not isinstance(row["question"], str) or not row["question"].strip():
            raise InputError(
                f"{path}: questions[{i}] (id {row['question_id']!r}) is empty: {row['question']!r}")
        row["question"] = " ".join(row["question"].split())
    repeated(path, "questions", [row["question_id"] for row in rows])
    return rows


def image_paths(path: Path, rows: list[dict[str, Any]], folder: Path) -> dict[int | str, Path]:
    """Find the image of each question of a file: by the file's optional list `images` (COCO's), or by name.

    Raises:
        InputError: a question's image is not in the folder; names the row.
    """
    entries = read_json(path).get("images", [])
    image_rows = [fields(path, "images", i, entry, ("id", "file_name")) for i, entry in enumerate(entries)]
    names = {row["id"]: row["file_name"] for row in image_rows}
    paths = images.by_id(folder, [row["image_id"] for row in rows], names)
    for i, row in enumerate(rows):
        if row["image_id"] not in paths:
            raise InputError(
                f"{path}: questions[{i}] (id {row['question_id']!r}) is about image {row['image_id']!r}, "
                f"which is not in {folder}; give the images' folder with --images")
    return paths
