"""Images, captions and predictions: the rows of the files between stages, read and written with checks.

Raw data is in the COCO caption format; predictions are one JSON list per run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json

SPLITS = ("train", "val", "test")
IDS = ("id", "image_id", "question_id")


@dataclass(frozen=True)
class Image:
    """An image of a split; `file_name` is relative to the split's folder of images."""

    id: int | str
    file_name: str


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Prediction:
    """The caption generated for an image, and its reference captions."""

    image_id: int | str
    file_name: str
    caption: str
    references: list[str]


def read_captions(path: Path) -> Captions:
    """Read a file in COCO caption format.

    Raises:
        InputError: a key is missing, an id stands twice, a caption is empty or belongs to no image of the
            file, or an image has no caption; names the file and the row.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise InputError(f"{path}: expected COCO caption format, an object with 'images' and 'annotations'")
    images = [
        Image(**fields(path, "images", i, row, ("id", "file_name")))
        for i, row in enumerate(content["images"])
    ]
    rows = [
        fields(
            path, "annotations", i, {"id": i} | row if isinstance(row, dict) else row,
            ("id", "image_id", "caption"),
        )
        for i, row in enumerate(content["annotations"])
    ]  # not every edition of a data set gives captions ids
    repeated(path, "images", [image.id for image in images])
    known = {image.id for image in images}
    for i, row in enumerate(rows):
        if row["image_id"] not in known:
            raise InputError(
                f"{path}: annotations[{i}] (id {row['id']}) is for image {row['image_id']!r}, which is not "
                f"in 'images'"
            )
        if not isinstance(row["caption"], str) or not row["caption"].strip():
            raise InputError(
                f"{path}: annotations[{i}] (id {row['id']}, image {row['image_id']!r}) has an empty caption"
            )
    captioned = {row["image_id"] for row in rows}
    bare = [image.file_name for image in images if image.id not in captioned]
    if bare:
        raise InputError(f"{path}: {len(bare)} images have no caption, the first is {bare[0]}")
    return Captions(
        images, [Caption(row["id"], row["image_id"], " ".join(row["caption"].split())) for row in rows]
    )


def write_captions(path: Path, captions: Captions, info: dict[str, Any]) -> None:
    """Write a split in COCO caption format; `info` says source, version and licence."""
    write_json(path, {
        "info": info,
        "images": [asdict(image) for image in captions.images],
        "annotations": [asdict(caption) for caption in captions.captions],
    })


def read_predictions(path: Path) -> list[Prediction]:
    """Read a predictions file.

    Raises:
        InputError: it is not a list, a row lacks a key or an image is repeated; names the file and the row.
    """
    return read_list(path, "predictions", Prediction, "image_id")


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write a predictions file atomically."""
    write_json(path, [asdict(prediction) for prediction in predictions])


def read_list(path: Path, what: str, row_type: Any, key: str) -> list[Any]:
    """Read rows of a dataclass from a list, unique in `key`; InputError names the file and the row."""
    content = read_json(path)
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
