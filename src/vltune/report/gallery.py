"""Some test images beside what every run said of them: chosen by position alone, so nobody can choose the good ones."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vltune import layout
from vltune.files import read_json
from vltune.records import Prediction, read_predictions
from vltune.report.runs import Run

IMAGES = 24
THUMBNAIL = 112  # pixels
QUALITY = 72  # of the JPEG
FOLDER = layout.RAW / "images/test"


@dataclass(frozen=True)
class Card:
    """One image: its thumbnail as a data address (empty if the file is not there), a reference, and captions by run."""

    name: str
    thumbnail: str
    reference: str
    captions: dict[str, str]


def cards(runs: list[Run], names: dict[tuple[str, str, int], str], count: int = IMAGES) -> list[Card]:
    """Give the images that stand evenly spread in the first run's predictions; `names` are the runs' labels.

    A method with several seeds is shown with its first one.
    """
    said: dict[str, dict[int | str, Prediction]] = {}
    seen: set[str] = set()
    for run in runs:
        path = layout.predictions(run.method, run.task, run.seed)
        if run.method not in seen and path.is_file():
            seen.add(run.method)
            said[names[run.task, run.method, run.seed]] = {row.image_id: row for row in read_predictions(path)}
    if not said:
        return []
    first = list(next(iter(said.values())).values())
    return [_card(row, said) for row in evenly(first, count)]


def evenly(rows: list[Prediction], count: int) -> list[Prediction]:
    """Take `count` rows at equal distances, from the middle of each stretch; all rows if there are fewer."""
    if len(rows) <= count:
        return rows
    return [rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count)]


def thumbnail(path: Path, side: int = THUMBNAIL) -> str:
    """Give an image as a small JPEG in a data address; empty if there is no such file."""
    if not path.is_file():
        return ""
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=QUALITY)
    return address(content.getvalue(), "jpeg")


def address(content: bytes, kind: str) -> str:
    """Put an image's bytes into an address that a page can hold."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def licence() -> str:
    """Say where the images come from, as their source says it; empty if it says nothing."""
    path = layout.RAW / "SOURCE.json"
    source = read_json(path) if path.is_file() else {}
    return "; ".join(str(source[key]) for key in ("source", "licence", "attribution") if source.get(key))


def _card(row: Prediction, said: dict[str, dict[int | str, Prediction]]) -> Card:
    captions = {name: rows[row.image_id].caption if row.image_id in rows else "not captioned" for name, rows in said.items()}
    return Card(row.file_name, thumbnail(FOLDER / row.file_name), row.references[0] if row.references else "", captions)
