"""Some test images with the predictions of every run: chosen
by position alone, so that nobody can pick the good ones."""

from __future__ import annotations

import base64
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from vltune.comparison.runs import Run
from vltune.pipeline import paths
from vltune.pipeline.files import read_json
from vltune.pipeline.questions import read_answer_predictions
from vltune.pipeline.records import read_predictions

IMAGES = 24
THUMBNAIL = 112  # pixels
QUALITY = 72  # of the JPEG
FOLDER = paths.RAW / "images/test"
T = TypeVar("T")


@dataclass(frozen=True)
class Output:
    """A prediction: the caption of an image, or the answer to
    a question, which has a type and a blind answer too."""

    file_name: str
    question: str
    question_type: str
    right: str
    text: str
    blind: str | None


@dataclass(frozen=True)
class Card:
    """One image: its thumbnail as a data URL (empty if the file
    is missing), what is right, and the prediction by method."""

    name: str
    thumbnail: str
    question: str
    right: str
    outputs: dict[str, Output | None]


def cards(runs: list[Run], count: int = IMAGES) -> list[Card]:
    """Give images at equal distances in the predictions of one task's first run.

    Questions are spread over their types. A method with several seeds is shown with its first one.
    """
    outputs: dict[str, dict[int | str, Output]] = {}
    for run in runs:
        path = paths.predictions(run.method, run.task, run.seed)
        if run.method not in outputs and path.is_file():
            outputs[run.method] = READERS[run.task](path)
    if not outputs:
        return []
    first = sorted(
        next(iter(outputs.values())).items(), key=lambda item: item[1].question_type
    )  # stable: else in their order
    return [
        Card(
            row.file_name, thumbnail(FOLDER / row.file_name), row.question, row.right,
            {name: rows.get(key) for name, rows in outputs.items()},
        )
        for key, row in evenly(first, count)
    ]


def evenly(rows: list[T], count: int) -> list[T]:
    """Take `count` rows at equal distances, from the middle of each stretch; all rows if there are fewer."""
    if len(rows) <= count:
        return rows
    return [rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count)]


def thumbnail(path: Path, side: int = THUMBNAIL) -> str:
    """Give an image as a small JPEG in a data URL; empty if there is no such file."""
    if not path.is_file():
        return ""
    return embedded(path, side, QUALITY)


def embedded(path: Path, side: int, quality: int) -> str:
    """Give an image as a JPEG of at most `side` pixels in a data URL; OSError if it cannot be read."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=quality)
    return address(content.getvalue(), "jpeg")


def address(content: bytes, format: str) -> str:
    """Encode an image's bytes as a data URL."""
    return f"data:image/{format};base64,{base64.b64encode(content).decode()}"


def licence(root: Path = Path()) -> str:
    """Give the source, licence and attribution of the images; empty if the data set has none."""
    path = root / paths.RAW / "SOURCE.json"
    source = read_json(path) if path.is_file() else {}
    return "; ".join(str(source[key]) for key in ("source", "licence", "attribution") if source.get(key))


def _captions(path: Path) -> dict[int | str, Output]:
    return {
        row.image_id: Output(
            row.file_name, "", "", row.references[0] if row.references else "", row.caption, None
        )
        for row in read_predictions(path)
    }


def _answers(path: Path) -> dict[int | str, Output]:
    return {
        row.question_id: Output(
            row.file_name, row.question, row.question_type, Counter(row.answers).most_common(1)[0][0],
            row.answer, row.other_image,
        )
        for row in read_answer_predictions(path)
    }


READERS = {"caption": _captions, "vqa": _answers}
