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


def say(model: Model, features: Tensor, asked: Sequence[Sequence[str]]) -> list[list[str]]:
    """Answer the questions about each image given by its features."""
    return answer(model.vlm, features, asked, model.tokenizer, model.predict.max_answer_tokens)


def one(image: Path, question: str, method: str, seed: int, root: Path) -> None:
    """Print the answer to a question about an image.

    Raises:
        InputError: the question is empty, or the image cannot be read.
    """
    if not question.strip():
        raise InputError("the question is empty")
    if not image.is_file():
        raise InputError(f"{image}: no such file")
    model = Model(root, method, "vqa", seed, None)
    seen = next(model.see([image]), None)
    if seen is None:
        raise InputError(f"{image}: cannot be read as an image")
    [[said]] = say(model, seen[0], [[" ".join(question.split())]])
    sys.stdout.write(f"{said}\n")


def many(questions: Path, folder: Path, out: Path | None, method: str, seed: int, root: Path) -> None:
    """Answer a question file in VQAv2 format about the images of a folder; write [{"question_id", "answer"}].

    Raises:
        InputError: the input is wrong, or (at the end) images could not be read and their questions were left out.
    """
    output.check_file(out)
    rows = asked(questions)
    paths = located(questions, rows, folder)
    model = Model(root, method, "vqa", seed, None)
    by_path: dict[Path, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_path[paths[row["image_id"]]].append(row)
    answers: list[dict[str, Any]] = []
    with output.kept(answers, out), output.progress(len(rows), "question") as bar:
        for features, batch in model.see(list(by_path)):
            groups = [by_path[path] for path in batch]
            said = say(model, features, [[row["question"] for row in group] for group in groups])
            answers += [{"question_id": row["question_id"], "answer": text}
                        for group, texts in zip(groups, said, strict=True) for row, text in zip(group, texts, strict=True)]
            bar.update(sum(map(len, groups)))
    output.all_read(len(rows) - len(answers), len(rows), folder)


def asked(path: Path) -> list[dict[str, Any]]:
    """Read the questions of a VQAv2 question file.

    Raises:
        InputError: it is no such file, a question is empty or an id stands twice; names the row.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("questions"), list):
        raise InputError(f"{path}: expected VQAv2 format, an object with a list 'questions'")
    rows = [fields(path, "questions", i, row, ("question_id", "image_id", "question")) for i, row in enumerate(content["questions"])]
    if not rows:
        raise InputError(f"{path}: there are no questions in it")
    for i, row in enumerate(rows):
        if not isinstance(row["question"], str) or not row["question"].strip():
            raise InputError(f"{path}: questions[{i}] (id {row['question_id']!r}) is empty: {row['question']!r}")
        row["question"] = " ".join(row["question"].split())
    repeated(path, "questions", [row["question_id"] for row in rows])
    return rows


def located(path: Path, rows: list[dict[str, Any]], folder: Path) -> dict[int | str, Path]:
    """Find the image of each question of a file, by the list `images` that it may have (COCO's) or by the images' names.

    Raises:
        InputError: a question's image is not in the folder; names the row.
    """
    named = read_json(path).get("images", [])
    names = {row["id"]: row["file_name"] for row in (fields(path, "images", i, one, ("id", "file_name")) for i, one in enumerate(named))}
    found = images.by_id(folder, [row["image_id"] for row in rows], names)
    for i, row in enumerate(rows):
        if row["image_id"] not in found:
            raise InputError(f"{path}: questions[{i}] (id {row['question_id']!r}) is about image {row['image_id']!r}, "
                             f"which is not in {folder}; give the images' folder with --images")
    return found
