"""Images, captions and predictions: the rows of the files between stages, read and written with checks.

Raw data is in the COCO caption format; predictions are one JSON list per run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.rows import read_rows, write_rows
from vltune.pipeline.tasks import joined, read_of_task

SPLITS = ("train", "val", "test")
IDS = ("id", "image_id", "question_id")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a split; `file_name` is relative to the split's folder of images."""

    id: int | str
    file_name: str


@dataclass(frozen=True, slots=True)
class Caption:
    """One reference caption of an image."""

    id: int
    image_id: int | str
    caption: str


@dataclass(frozen=True)
class Captions:
    """A split's images and their reference captions."""

    images: list[Image]
    captions: list[Caption]

    def by_image(self) -> dict[int | str, list[str]]:
        """Group the references by image, in the order of the file; every image has an entry."""
        groups: dict[int | str, list[str]] = {image.id: [] for image in self.images}
        for caption in self.captions:
            groups[caption.image_id].append(caption.caption)
        return groups

    def captioned(self) -> Captions:
        """Give the same without the images that have no caption."""
        ids = {caption.image_id for caption in self.captions}
        return Captions([image for image in self.images if image.id in ids], self.captions)


@dataclass(frozen=True)
class Prediction:
    """The caption generated for an image, and its reference captions."""

    image_id: int | str
    file_name: str
    caption: str
    references: list[str]


def read_captions(path: Path) -> Captions:
    """Read a file in COCO caption format, row by row. An image may have no caption: where there are questions
    instead, or where `fetch` leaves it out.

    Raises:
        InputError: a key is missing, an id stands twice, or a caption is empty or belongs to no image of the
            file; names the file and the row.
    """
    images: list[Image] = []
    captions: list[Caption] = []
    form = "COCO caption format, an object with 'images' and 'annotations'"
    for name, i, row in read_rows(path, ("images", "annotations"), form):
        if name == "images":
            images.append(Image(**fields(path, name, i, row, ("id", "file_name"))))
            checked_name(f"{path}: images[{i}]", images[-1].file_name)
        else:
            row = {"id": i} | row if isinstance(row, dict) else row  # not every data set gives captions ids
            caption = Caption(**fields(path, name, i, row, ("id", "image_id", "caption")))
            where = f"{path}: annotations[{i}] (id {caption.id}, image {caption.image_id!r})"
            captions.append(replace(caption, caption=sentence(where, "caption", caption.caption)))
    repeated(path, "images", [image.id for image in images])
    known = {image.id for image in images}
    for i, caption in enumerate(captions):
        if caption.image_id not in known:
            raise InputError(
                f"{path}: annotations[{i}] (id {caption.id}) is for image {caption.image_id!r}, which is not "
                f"in 'images'"
            )
    return Captions(images, captions)


def write_captions(path: Path, captions: Captions, info: dict[str, Any]) -> None:
    """Write a split in COCO caption format; `info` says source, version and licence."""
    write_rows(path, {"info": info}, {
        "images": map(asdict, captions.images), "annotations": map(asdict, captions.captions)})


def sentence(where: str, what: str, text: Any) -> str:
    """Check a text of a user and give it with single spaces for all white space.

    Raises:
        InputError: it is no text, is empty or cannot be written as UTF-8; begins with `where`.
    """
    if not isinstance(text, str):
        raise InputError(f"{where} has the {what} {text!r}, expected a text")
    if not text.strip():
        raise InputError(f"{where} has an empty {what}")
    if not _is_unicode(text):
        raise InputError(f"{where}: the {what} {text!r} holds half of a surrogate pair, no character")
    return " ".join(text.split())


def checked_name(where: str, name: Any) -> None:
    """Check that a file name is one; raises InputError, which begins with `where`."""
    if not isinstance(name, str) or not name.strip() or "\0" in name or not _is_unicode(name):
        raise InputError(f"{where} has the file name {name!r}, expected the name of a file")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_predictions(path: Path) -> list[Prediction]:
    """Read the captions of a predictions file, which may hold answers too.

    Raises:
        InputError: it is not a list, a row lacks a key or an image is repeated; names the file and the row.
    """
    return read_list(path, "caption", "predictions", Prediction, "image_id")


def write_predictions(path: Path, by_task: Mapping[str, Iterable[Any]]) -> None:
    """Write a predictions file atomically: the captions, the answers, or both."""
    write_json(path, joined({task: [asdict(row) for row in rows] for task, rows in by_task.items()}))


def read_list(path: Path, task: str, what: str, row_type: Any, key: str) -> list[Any]:
    """Read a task's rows of a dataclass, unique in `key`; InputError names the file and the row."""
    content = read_of_task(path, task)
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: expected a list of {what} that is not empty")
    names = tuple(row_type.__dataclass_fields__)
    rows = [row_type(**fields(path, "row ", i, row, names)) for i, row in enumerate(content)]
    repeated(path, what, [getattr(row, key) for row in rows])
    return rows


def fields(path: Path, where: str, index: int, row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Take the named fields of a row of a JSON file; InputError names file, row and missing field."""
    if not isinstance(row, dict):
        raise InputError(f"{path}: {where}[{index}] is {row!r}, expected an object with {', '.join(names)}")
    for name in names:
        if name not in row:
            present = ", ".join(row) or "nothing"
            raise InputError(f"{path}: {where}[{index}] has no '{name}'; it has {present}")
        if name in IDS and not isinstance(row[name], int | str):
            raise InputError(f"{path}: {where}[{index}] has {name} {row[name]!r}, expected a number or text")
    return {name: row[name] for name in names}


def repeated(path: Path, where: str, ids: list[int | str]) -> None:
    """Raise InputError if an id is repeated, naming it."""
    if len(set(ids)) == len(ids):
        return
    counts: dict[int | str, int] = defaultdict(int)
    for i in ids:
        counts[i] += 1
    first = next(i for i, count in counts.items() if count > 1)
    raise InputError(f"{path}: id {first!r} stands {counts[first]} times in {where}; ids must be unique")


def evenly(rows: list[T], count: int) -> list[T]:
    """Take `count` rows at equal distances, from the middle of each stretch; all rows if there are fewer."""
    if len(rows) <= count:
        return rows
    return [rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count)]
