"""Results that are made up: of captions and questions, as `evaluate` and `train` leave them."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd

from vltune.comparison import per_image
from vltune.comparison.tasks import TASKS
from vltune.metrics import bootstrap
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline import paths
from vltune.pipeline.files import read_json, write_json, write_table
from vltune.pipeline.questions import AnswerPrediction
from vltune.pipeline.records import write_predictions
from vltune.pipeline.tasks import JOINT

METHODS = ["adapter", "lora", "prefix", "full", "connector"]
IMAGES = 60
SETTINGS = Evaluate(bootstrap_samples=400, confidence=0.95, seed=0)
SIGNATURE = {"task": "caption", "metrics": "some", "images": IMAGES, "evaluate": SETTINGS.model_dump()}
QUESTIONS = SIGNATURE | {"task": "vqa", "questions": 4 * IMAGES}
SHARE = {"adapter": 0.0061, "lora": 0.0091, "prefix": 0.0035, "full": 1.0, "connector": 0.0, paths.START: 0.0}
CIDER = {"adapter": 2.31, "lora": 2.35, "prefix": 2.12, "full": 2.44, "connector": 1.62, paths.START: 0.31}
ACCURACY = {"adapter": 0.83, "lora": 0.86, "prefix": 0.71, "full": 0.88, "connector": 0.55, paths.START: 0.04}
TYPES = {"count": "number", "existence": "yes/no", "colour": "other", "position": "other"}


def metric(value: float) -> dict:
    return {"value": value, "low": value * 0.96, "high": value * 1.05}


def around(value: float, noise: str) -> np.ndarray:
    """Give scores [images] of this mean: some images are hard for all, and some for this method (`noise`)."""
    rng, own = np.random.default_rng(7), np.random.default_rng([*noise.encode()])
    found = value * (1 + 0.2 * rng.standard_normal(IMAGES)) + 0.02 * own.standard_normal(IMAGES)
    return found - found.mean() + value


def of_captions(cider: float, noise: str) -> dict[str, list]:
    """What captions of this CIDEr bring per image: eight words, of which a share matches."""
    guess, share = np.array([8, 7, 6, 5]), np.clip(around(cider / 3, noise), 0, 1)[:, None]
    matched = np.round(share * 6)  # content words, exactly, in two chunks
    lengths, others, chunks = (
        np.tile([8, 8, 2, 2], (IMAGES, 1)),
        np.zeros((IMAGES, 14)),
        np.full((IMAGES, 1), 2),
    )
    return {
        "images": list(range(IMAGES)),
        "CIDEr": around(cider, noise).tolist(),
        "ROUGE-L": around(cider / 4, noise).tolist(),
        "BLEU": bootstrap.pack(np.hstack((np.floor(share * guess), np.tile([*guess, 8, 8], (IMAGES, 1))))),
        "METEOR": bootstrap.pack(np.hstack((lengths, matched, matched, others, chunks, matched, matched))),
    }


def of_answers(accuracies: dict[str, float], noise: str) -> dict[str, list | dict]:
    """What answers of these accuracies bring per image: four questions, two of which are of the type
    `other`."""
    counts = {name: {"accuracy": 4, "other": 2}.get(name, 1) for name in accuracies}
    return {
        "images": list(range(IMAGES)),
        "questions": {name: [count] * IMAGES for name, count in counts.items()},
        "right": {name: (counts[name] * around(value, noise)).tolist() for name, value in accuracies.items()},
    }


def measured(names: tuple[str, ...], given: dict, settings: Evaluate) -> dict[str, dict[str, float]]:
    """Score one run as `evaluate` does."""
    found = {name: per_image.estimates(name, {"it": [given]}, settings)["it"] for name in names}
    return {
        name: {"value": round(one.mean, 10), "low": round(one.low, 10), "high": round(one.high, 10)}
        for name, one in found.items()
    }


def write_run(
    method: str, seed: int = 0, seconds: float = 100.0, signature: dict = SIGNATURE, better: float = 0.0,
    seen: tuple[str, ...] = (),
) -> None:
    """A run as the stages before leave it; `better` is what its CIDEr is above that of its method, `seen` are
    the metrics of images that it has."""
    cider = CIDER[method] + 0.01 * seed + better
    given = of_captions(cider, f"{method}{seed}")
    given |= {name: around(0.3 * cider, f"{name}{method}{seed}").tolist() for name in seen}
    write_json(
        paths.result(method, "caption", seed),
        {
            "task": "caption",
            "method": method,
            "seed": seed,
            "metrics": measured(
                tuple(name for name in TASKS["caption"].metrics
                      if name in given or name not in TASKS["caption"].optional),
                given, Evaluate.model_validate(signature["evaluate"]),
            ),
            "diversity": {
                "distinct-1": 0.06,
                "distinct-2": 0.21,
                "vocabulary": 312 + seed,
                "unique_share": 0.93,
                "novel_share": 0.88,
                "mean_length": 10.4,
            },
            "controls": {"other_image": {"CIDEr": metric(0.11 * cider)}},
            **sizes(method),
            "per_image": given,
            "signature": signature,
        },
    )
    things = ["a red apple", "two mice", "a snail left of a drum", "three kites above a boat"]
    write_json(
        paths.predictions(method, "caption", seed),
        [
            {
                "image_id": i,
                "file_name": f"{i:04}.png",
                "caption": f"{method} sees {things[i % 4]} on a green background",
                "references": [f"{things[i % 4]} on green", "something else"],
            }
            for i in range(IMAGES)
        ],
    )
    write_training("caption", method, seed, seconds)


def sizes(method: str) -> dict:
    return {
        "trained_parameters": round(134515008 * SHARE[method]),
        "trained_share": SHARE[method],
        "projector_parameters": 230976,
        "checkpoint_bytes": 2_000_000,
        "projector": {"kind": "words", "start": "ridge", "texts": "captions"},
    }


def write_training(task: str, method: str, seed: int, seconds: float) -> None:
    """What a training took, and its curve."""
    if method == paths.START:
        return
    write_json(
        paths.resources(method, task, seed),
        {
            "train_seconds": seconds,
            "captions_per_second": 36.0,
            "peak_memory_bytes": 2_100_000_000,
            "step_seconds": 0.66,
        },
    )
    noise = random.Random(f"{method}{seed}")
    rows = [
        {
            "step": i + 1,
            "captions": 24 * (i + 1),
            "loss": 0.6 + 2.2 / (1 + i / 12) + 2.4 - CIDER[method] + 0.2 * noise.random(),
            "val_loss": (0.7 + 2.2 / (1 + i / 12) + 2.4 - CIDER[method]) if i in (74, 149) else "",
        }
        for i in range(150)
    ]
    paths.curve(method, task, seed).parent.mkdir(parents=True, exist_ok=True)
    write_table(paths.curve(method, task, seed), pd.DataFrame(rows, dtype=object), "\t")


def write_joint_run(method: str, seed: int = 0) -> None:
    """A run that was trained on captions and questions together, as the stages before leave it."""
    write_run(method, seed)
    write_questions_run(method, seed)
    for place, further in ((paths.result, {"trained_on": JOINT}), (paths.predictions, None)):
        files = {task: place(method, task, seed) for task in TASKS}
        contents = {task: read_json(file) for task, file in files.items()}
        write_json(place(method, JOINT, seed), {
            task: content | further if further else content for task, content in contents.items()})
        for file in files.values():
            file.unlink()
    for task in TASKS:
        paths.resources(method, task, seed).unlink(missing_ok=True)
        paths.curve(method, task, seed).unlink(missing_ok=True)
    write_training(JOINT, method, seed, 150.0)


def scores(accuracy: float) -> tuple[dict, dict]:
    """Metrics and question types around an accuracy."""
    metrics = {name: metric(round(accuracy * factor, 4)) for name, factor in
               [("accuracy", 1), ("yes/no", 1.05), ("number", 0.8), ("other", 1.02)]}
    return metrics, {
        name: metric(round(accuracy * (0.8 + 0.1 * i), 4)) | {"questions": 60}
        for i, name in enumerate(sorted(TYPES))
    }


def write_questions_run(
    method: str, seed: int = 0, seconds: float = 80.0, signature: dict = QUESTIONS
) -> None:
    """A run of the question task as the stages before leave it: four questions an image."""
    found, types = scores(ACCURACY[method] + 0.001 * seed)
    given = of_answers({name: one["value"] for name, one in found.items()}, f"{method}{seed}")
    controls = {
        "other_image": scores(0.45 * ACCURACY[method] + 0.02),
        "mean_image": scores(0.4 * ACCURACY[method] + 0.02),
        "most_frequent": scores(0.37),
    }
    write_json(
        paths.result(method, "vqa", seed),
        {
            "task": "vqa",
            "method": method,
            "seed": seed,
            "metrics": measured(tuple(found), given, SETTINGS),
            "question_types": types,
            "controls": {name: one[0] for name, one in controls.items()},
            "control_question_types": {name: one[1] for name, one in controls.items()},
            **sizes(method),
            "per_image": given,
            "signature": signature,
        },
    )
    things = {
        "count": "How many kites are there?",
        "existence": "Is there a drum?",
        "colour": "What is the background colour?",
        "position": "What is to the left of the tent?",
    }
    write_predictions(
        paths.predictions(method, "vqa", seed),
        {"vqa": [
            AnswerPrediction(
                4 * i + j,
                i,
                f"{i:04}.png",
                things[kind],
                kind,
                TYPES[kind],
                f"{method} says {kind}",
                f"{method} is blind",
                "",
                [f"right {kind}"] * 10,
            )
            for i in range(IMAGES)
            for j, kind in enumerate(TYPES)
        ]},
    )
    write_training("vqa", method, seed, seconds)


def write_attention(method: str, seed: int = 0, drops: dict[str, np.ndarray] | None = None) -> None:
    """The attention on 40 images, as `predict` leaves it: two tokens on a grid of four cells and two tags, by
    default with higher drops for what has higher weights."""
    names = ("random", "attention_highest", "attention_lowest", "attention_elsewhere", "gradient_highest",
             "gradient_lowest")
    rng = np.random.default_rng(seed)
    made = drops or {name: rng.normal("highest" in name, 0.5, 40) for name in names}
    write_json(paths.predictions(method, "caption", seed).with_suffix(".attention.json"), {
        "settings": {}, "cells": 4, "tags": 2, "sink": True, "images": [{
            "image_id": i, "file_name": f"{i:04}.png", "question": "", "text": "a tent",
            "tokens": ["a", "tent"], "weights": ["0.5 0.02 0.01 0.1 0.05 0.03", "0.4 0.03 0.2 0.01 0.1 0.02"],
            "checked": [1], "drops": {name: float(values[i]) for name, values in made.items()}}
            for i in range(40)]})
