"""vltune score: score the predictions of any system as the pipeline scores its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vltune.commands import images, output
from vltune.metrics import accuracy, bootstrap, caption, clip, vqa
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.clip import ClipScore
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import load
from vltune.pipeline.questions import AnswerPrediction
from vltune.pipeline.records import Captions, Prediction, fields, read_captions, repeated


def main(predictions: Path, annotations: Path, folder: Path | None, out: Path | None, root: Path) -> None:
    """Score captions against COCO captions, or answers against
    VQAv2 annotations; what it is follows from the files.

    Raises:
        InputError: a file is of another form, names are missing or
            left over, or (with `folder`) an image is not there.
    """
    output.check_file(out)
    settings = load(Evaluate, "evaluate", root / "params.yaml")
    content = read_json(predictions)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "question_id" in content[0]:
        output.emit(answers(predictions, content, annotations, folder, settings), out)
    else:
        scores = captions(predictions, content, annotations, folder, settings, root)
        output.emit(scores, out)
        stream = sys.stderr if out is None else sys.stdout  # a pipe gets JSON and nothing else
        stream.write("\n".join(course_lines(scores)) + "\n")


def course_lines(scores: dict[str, Any]) -> list[str]:
    """Give the line that the evaluation script of the course NTU DLCV prints, whose CLIPScore is without the
    prefix, and the metrics as published (Hessel et al. 2021), or why there is no CLIPScore."""
    names = {"CIDEr": "CIDEr", "CLIPScore": "CLIPScore-course"}
    values = {label: scores["metrics"].get(name) for label, name in names.items()}
    line = " | ".join(
        f"{label}: {score['value'] if score else 'not computed'}" for label, score in values.items()
    )
    made = scores.get("clipscore", {"not_computed": "clipscore.weights in params.yaml is empty"})
    if "not_computed" in made:
        return [line, f"(no CLIPScore: {made['not_computed']})"]
    published = (f"{name} {scores['metrics'][name]['value']:.3f}" for name in ("CLIPScore", "RefCLIPScore"))
    return [line, f"(CLIPScore as in the course, without a prefix; as published: {', '.join(published)})"]


def seen(
    rows: list[Prediction], folder: Path | None, settings: Evaluate, root: Path
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Score captions against the images in `folder`, if params.yaml names weights.

    Returns: metrics; what results say of CLIP: the model, or why there are no metrics. Both may be empty.
    """
    asked = load(ClipScore, "clipscore", root / "params.yaml")
    if asked.weights is None:
        return {}, {}
    if folder is None:
        return {}, {"clipscore": {"not_computed": "it needs the images; give their folder with --images"}}
    if (root / asked.weights).exists():
        asked = asked.model_copy(update={"weights": str(root / asked.weights)})
    scores = clip.measure(rows, folder, asked, settings, root / paths.CLIP_CACHE)
    return scores.metrics, {"clipscore": scores.signature}


def captions(
    path: Path, predictions: Any, annotations: Path, folder: Path | None, settings: Evaluate, root: Path
) -> dict[str, Any]:
    """Score captions: metrics with intervals, diversity, and the CIDEr that is left when each image gets
    another one's caption."""
    known = read_captions(annotations)
    bare = len(known.images) - len(known.captioned().images)
    if bare:
        raise InputError(f"{annotations}: {bare} of {len(known.images)} images have no caption")
    if folder is not None:
        absent = [image.file_name for image in known.images if not (folder / image.file_name).is_file()]
        if absent:
            raise InputError(
                f"{folder}: {len(absent)} of {len(known.images)} images of {annotations} are not there: "
                f"{images.listed(absent)}"
            )
    by_image = caption_of(path, predictions, known)
    same_keys(
        path, by_image, annotations, [image.id for image in known.images],
        {image.id: image.file_name for image in known.images},
    )
    references = known.by_image()
    rows = [
        Prediction(image.id, image.file_name, by_image[image.id], references[image.id])
        for image in known.images
    ]
    rows = caption.checked(path, rows)
    scores, _ = caption.score(path, rows, [], settings)
    scores["diversity"].pop("novel_share")  # there are no training captions to compare with
    metrics, made = seen(rows, folder, settings, root)
    scores["metrics"] |= metrics
    return {"images": len(rows), **scores, **made}


def caption_of(path: Path, predictions: Any, known: Captions) -> dict[int | str, str]:
    """Read captions by the ids of images, from {name: caption}
    or COCO's result format [{"image_id", "caption"}].

    A name is a file's name, with or without its folder or
    its extension; one that fits no image stays as it is.
    """
    if isinstance(predictions, list):
        return keyed(path, predictions, "image_id", "caption")
    if not isinstance(predictions, dict):
        raise InputError(
            f"{path}: expected an object {{name: caption}}, or a list of objects with image_id and caption"
        )
    ids: dict[str, int | str] = {}
    for image in known.images:
        for name in {image.file_name, Path(image.file_name).name, Path(image.file_name).stem}:
            if name in ids and name in predictions:
                raise InputError(
                    f"{path}: {name!r} may be image {ids[name]!r} or {image.id!r}; give longer names, or "
                    f"COCO's result format"
                )
            ids[name] = image.id
    return keyed(
        path, [{"image": ids.get(name, name), "caption": caption} for name, caption in predictions.items()],
        "image", "caption",
    )


def keyed(path: Path, predictions: list[Any], key: str, text: str) -> dict[int | str, str]:
    """Read the texts of rows by their keys; InputError if a key stands twice or a text is none."""
    rows = [fields(path, "row ", i, row, (key, text)) for i, row in enumerate(predictions)]
    for row in rows:
        if not isinstance(row[text], str):
            raise InputError(f"{path}: the {text} of {row[key]!r} must be text, found {row[text]!r}")
    repeated(path, "predictions", [row[key] for row in rows])
    return {row[key]: row[text] for row in rows}


def answers(
    path: Path, predictions: list[Any], annotations: Path, folder: Path | None, settings: Evaluate
) -> dict[str, Any]:
    """Score answers: VQA accuracy overall, by answer type
    and by question type, with intervals over images."""
    by_question = keyed(path, predictions, "question_id", "answer")
    known = annotated(annotations)
    same_keys(path, by_question, annotations, [row["question_id"] for row in known], {})
    if folder is not None:
        ids = [row["image_id"] for row in known]
        absent = sorted({*map(str, ids)} - {*map(str, images.by_id(folder, ids, {}))})
        if absent:
            raise InputError(
                f"{folder}: {len(absent)} images of {annotations} are not there: {images.listed(absent)}"
            )
    both = vqa.checked(
        annotations,
        [
            AnswerPrediction(
                row["question_id"], row["image_id"], "", "", row["question_type"], row["answer_type"],
                by_question[row["question_id"]], None, None, row["answers"],
            )
            for row in known
        ],
    )
    index_of = {image_id: i for i, image_id in enumerate(dict.fromkeys(row.image_id for row in both))}
    right = np.array([accuracy.accuracy(row.answer, row.answers) for row in both])
    counts = bootstrap.draws(len(index_of), settings.bootstrap_samples, settings.seed)
    image = np.array([index_of[row.image_id] for row in both])
    return {
        "questions": len(both), "images": len(index_of),
        **vqa.intervals(both, image, right, counts, settings.confidence),
    }


def annotated(path: Path) -> list[dict[str, Any]]:
    """Read VQAv2 annotations; `answers` becomes a list of
    texts. InputError names the row that is of another form."""
    content = read_json(path)
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("annotations"), list)
        or not content["annotations"]
    ):
        raise InputError(
            f"{path}: expected VQAv2 annotations, an object with a list 'annotations' that is not empty"
        )
    keys = ("question_id", "image_id", "question_type", "answer_type", "answers")
    rows = [fields(path, "annotations", i, row, keys) for i, row in enumerate(content["annotations"])]
    for i, row in enumerate(rows):
        answers = row["answers"] if isinstance(row["answers"], list) else []
        row["answers"] = [answer.get("answer") if isinstance(answer, dict) else None for answer in answers]
        if not answers or not all(isinstance(text, str) for text in row["answers"]):
            raise InputError(
                f"{path}: annotations[{i}] (id {row['question_id']!r}): expected a list of at least one "
                f"answer, "
                f"found {answers!r}"
            )
    repeated(path, "annotations", [row["question_id"] for row in rows])
    return rows


def same_keys(
    path: Path, predicted: Iterable[int | str], annotations: Path, expected: list[int | str],
    names: dict[int | str, str],
) -> None:
    """Check that predictions and annotations are about the same
    things; InputError lists the first that are in one alone."""
    here, there = dict.fromkeys(predicted), dict.fromkeys(expected)
    missing = [names.get(key, key) for key in there if key not in here]
    extra = [repr(key) for key in here if key not in there]
    if missing or extra:
        problems = (
            [f"{len(missing)} of {len(there)} are missing: {images.listed(missing)}"] if missing else []
        )
        problems += [f"{len(extra)} are left over: {images.listed(extra)}"] if extra else []
        raise InputError(f"{path} and {annotations} do not match: {'; '.join(problems)}")
