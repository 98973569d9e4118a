"""The question task: from a predictions file to its scores,
beside those of the controls that do not see the image."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from vltune.metrics import bootstrap, signature, truth
from vltune.metrics.accuracy import accuracy
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import (
    ANSWER_TYPES,
    AnswerPrediction,
    Question,
    read_answer_predictions,
    read_questions,
)
from vltune.pipeline.records import read_captions

OVERALL, TRUTH = "accuracy", "answer_truth"
BLIND = ("other_image", "mean_image")  # fields of a prediction: what the model answers without the image
MOST_FREQUENT = "most_frequent"


def measure(path: Path, settings: Evaluate) -> tuple[dict[str, Any], dict[str, list], dict[str, Any]]:
    """Score a predictions file; the training questions are read from data/raw.

    Returns: metrics, question types and both for each control; scores per image; the signature.
    Raises:
        InputError: a file is missing or of the wrong form, or there are no training questions.
    """
    rows = checked(path, read_answer_predictions(path))
    images = read_captions(paths.captions("train")).images
    known = read_questions(*paths.questions("train"), {image.id for image in images})
    if not known:
        raise InputError(
            f"{paths.questions('train')[0]}: expected at least one training question, for the most "
            f"frequent answers"
        )
    scores, per_image = score(rows, known, settings)
    signed = signature.sign_answers(rows, known, settings) | signature.sign_shared_images(rows, images)
    judged = truth.of_answers(path, rows, systems(rows, known), settings)
    if judged is not None:
        scores["metrics"][TRUTH] = judged.metrics[""]
        for name, control in scores["controls"].items():
            control[TRUTH] = judged.metrics[name]
        for name, values in judged.per_image.items():
            per_image[name] = values if name == "unseen" else per_image[name] | {TRUTH: values}
        signed |= {"scenes": judged.signature}
    return scores, per_image, signed


def checked(path: Path, rows: list[AnswerPrediction]) -> list[AnswerPrediction]:
    """Check the texts of answers and give them in the order of
    image and question ids, which pairs the draws of all runs.

    An empty answer is allowed, and None where the model or a control was not asked.

    Raises:
        InputError: an answer is no text, people's answers are missing,
            or the kind of answer is unknown; names file and row.
    """
    for i, row in enumerate(rows):
        where = f"{path}: row {i} (question {row.question_id!r})"
        for name in ("question", "question_type", "answer", *BLIND):
            optional = name in ("answer", *BLIND) and getattr(row, name) is None
            if not optional and not isinstance(getattr(row, name), str):
                raise InputError(f"{where}: {name} must be text, found {getattr(row, name)!r}")
        if row.answer_type not in ANSWER_TYPES:
            raise InputError(
                f"{where}: answer_type must be one of {', '.join(ANSWER_TYPES)}, found {row.answer_type!r}"
            )
        if (
            not isinstance(row.answers, list)
            or not row.answers
            or not all(isinstance(answer, str) for answer in row.answers)
        ):
            raise InputError(
                f"{where}: expected a list of at least one answer, all texts, found {row.answers!r}"
            )
    if all(row.answer is None for row in rows):
        raise InputError(f"{path}: expected at least one answer, found {len(rows)} rows whose answer is null")
    return sorted(rows, key=lambda row: (_order(row.image_id), _order(row.question_id)))


def score(
    rows: list[AnswerPrediction], known: list[Question], settings: Evaluate
) -> tuple[dict[str, Any], dict[str, list]]:
    """Score the model and each control on the questions that they answer, with the same draws of images;
    `known` are the training questions.

    Returns: metrics, question types and both for each control; scores per image.
    """
    images = list(dict.fromkeys(row.image_id for row in rows))
    counts = bootstrap.draws(len(images), settings.bootstrap_samples, settings.seed)
    index_of = {name: i for i, name in enumerate(images)}
    scored, per_image = {}, {}
    for name, answers in systems(rows, known).items():
        asked = [(row, answer) for row, answer in zip(rows, answers, strict=True) if answer is not None]
        if not asked:
            continue
        answered = [row for row, _ in asked]
        image = np.array([index_of[row.image_id] for row in answered])
        right = np.array([accuracy(answer, row.answers) for row, answer in asked])
        scored[name] = intervals(answered, image, right, counts, settings.confidence)
        if not name:
            per_image = {"images": images, **sums(answered, image, right, len(images))}
    return {
        **scored[""], "controls": {name: scored[name]["metrics"] for name in scored if name},
        "control_question_types": {name: scored[name]["question_types"] for name in scored if name},
    }, per_image


def systems(rows: list[AnswerPrediction], known: list[Question]) -> dict[str, list[str | None]]:
    """Give the answers [questions] of the model, whose name is "", and of each control; None where one was
    not asked."""
    common = most_frequent(known)
    return {
        "": [row.answer for row in rows], **{name: [getattr(row, name) for row in rows] for name in BLIND},
        MOST_FREQUENT: [common[row.question_type] for row in rows],
    }


def sums(
    rows: list[AnswerPrediction], image: np.ndarray, scores: np.ndarray, images: int
) -> dict[str, dict[str, list]]:
    """Give for each metric how many questions each of the images has, and the sum of their scores
    [questions]; see `comparison/per_image.py`."""
    masks = {name: mask for (group, name), mask in groups(rows).items() if group == "metrics"}
    return {
        "questions": {
            name: np.bincount(image, mask, images).astype(int).tolist() for name, mask in masks.items()
        },
        "right": {
            name: np.bincount(image, mask * scores, images).round(bootstrap.DIGITS).tolist()
            for name, mask in masks.items()
        },
    }


def groups(rows: list[AnswerPrediction]) -> dict[tuple[str, str], np.ndarray]:
    """Say for each score, of all questions, of a kind of answer and of a kind of question, which rows it is
    about, 0 or 1 [questions]."""
    masks_by_score = {("metrics", OVERALL): np.ones(len(rows))}
    for group, name, values in [
        ("metrics", "answer_type", ANSWER_TYPES),
        ("question_types", "question_type", sorted({row.question_type for row in rows})),
    ]:
        masks = {
            (group, value): np.array([float(getattr(row, name) == value) for row in rows]) for value in values
        }
        masks_by_score |= {key: mask for key, mask in masks.items() if mask.any()}
    return masks_by_score


def intervals(
    rows: list[AnswerPrediction], image: np.ndarray, scores: np.ndarray, counts: np.ndarray, confidence: float
) -> dict[str, Any]:
    """Give the mean of the scores [questions] overall, by kind of answer and by kind of question, with
    intervals over images.

    `image` [questions] is each question's place in the draws `counts` [samples, images].
    """
    everything = groups(rows)
    member = np.stack(list(everything.values()), axis=1)  # [questions, groups]
    totals, sizes = np.zeros((2, counts.shape[1], member.shape[1]))
    np.add.at(totals, image, member * scores[:, None])
    np.add.at(sizes, image, member)
    samples, values = bootstrap.ratios(counts, totals, sizes), totals.sum(0) / sizes.sum(0)
    result: dict[str, Any] = {"metrics": {}, "question_types": {}}
    for i, (group, name) in enumerate(everything):
        result[group][name] = bootstrap.row(values[i], samples[:, i], confidence)
        if group == "question_types":
            result[group][name]["questions"] = int(sizes[:, i].sum())
    return result


def most_frequent(known: list[Question]) -> defaultdict[str, str]:
    """Give by question type the answer that most training questions have, of equally many the first; for a
    question type that is not among them the one of all.

    Source: the prior per question type of Antol et al. 2015, VQA: visual question answering, section 4.
    """
    overall = Counter(question.answer for question in known).most_common(1)[0][0]
    by_type: dict[str, Counter[str]] = {}
    for question in known:
        by_type.setdefault(question.question_type, Counter())[question.answer] += 1
    return defaultdict(
        lambda: overall, {name: answers.most_common(1)[0][0] for name, answers in by_type.items()}
    )


def _order(number: int | str) -> tuple[bool, int | str]:
    return isinstance(number, str), number
