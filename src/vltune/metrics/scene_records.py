"""What is in each drawn image, as `fetch` recorded it, and the words that captions of such images use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint, read_json
from vltune.pipeline.records import SPLITS, fields

# Where the first and the second of two things are, and the things of a line of three.
LINES = {"left of": ("left", "right"), "above": ("top", "bottom"), "row": ("left", "middle", "right"),
         "column": ("top", "middle", "bottom")}
RANKS = {"left": 0, "top": 0, "middle": 1, "right": 2, "bottom": 2}
DEPTH = ("front", "back")
SIDE_WORDS = {
    "left": "left", "right": "right", "top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom",
    "middle": "middle", "center": "middle", "centre": "middle",
}


@dataclass(frozen=True)
class Record:
    """One image: how many there are of each thing, in the order of the drawing; the colour of its background;
    which sides each thing is at (none for several of a kind, which fill the picture); each thing's category,
    if it has one; whether a caption could say more of the place than that it is the middle.

    Of data sets whose texts name sizes, the size of each thing (None if it is neither small nor large); of
    those whose things overlap, which thing hides a part of which; of those with two kinds of test images,
    whether it shows a combination that no training image shows. None in other data sets."""

    things: dict[str, int]
    colour: str
    sides: dict[str, frozenset[str]]
    categories: dict[str, str | None]
    placed: bool
    sizes: dict[str, str | None] | None = None
    over: frozenset[tuple[str, str]] | None = None
    unseen: bool | None = None

    @property
    def pair(self) -> bool:
        """Whether there are two different things."""
        return len(self.things) > 1

    def at(self, side: str) -> list[str]:
        """Give the things that are at a side."""
        return [name for name, sides in self.sides.items() if side in sides]

    def related(self, first: str, side: str, second: str) -> bool:
        """Whether one thing is at a side of another: left, right, top or bottom, or front or back."""
        if side in DEPTH:
            return ((first, second) if side == "front" else (second, first)) in (self.over or ())
        if not self.at(side):
            return False
        here, there = (RANKS[next(iter(self.sides[name]))] for name in (second, first))
        return there < here if RANKS[side] == 0 else there > here

    def between(self, first: str, second: str) -> list[str]:
        """Give the things of a line that are between two of them."""
        ranks = {name: RANKS[side] for name, sides in self.sides.items() for side in sides}
        if not {first, second} <= set(ranks):
            return []
        low, high = sorted((ranks[first], ranks[second]))
        return [name for name, rank in ranks.items() if low < rank < high]


@dataclass(frozen=True)
class Vocabulary:
    """The words that can state a fact: forms of the things' names, of one word or two, with whether a form
    is the plural (None if it is the singular too); colours; categories."""

    names: dict[str, tuple[str, bool | None]]
    colours: frozenset[str]
    categories: frozenset[str]


@dataclass(frozen=True)
class Scenes:
    """The records of the test images by their ids, and the vocabulary of the whole data set: what a model
    has learnt to name wrongly need not be in any test image."""

    records: dict[int | str, Record]
    vocabulary: Vocabulary

    def of(self, path: Path, image_id: int | str) -> Record:
        """Give the record of an image; raises InputError, which names the file `path` of predictions."""
        if image_id not in self.records:
            raise InputError(
                f"{path}: image {image_id!r} has no record in {paths.scenes('test')}, which has "
                f"{len(self.records)} images; make the predictions again with stages/predict.py"
            )
        return self.records[image_id]

    def unseen(self, path: Path, image_ids: Iterable[int | str]) -> dict[str, list[bool]]:
        """Give, as `per_image` of results files has it, which test images show a combination that training
        lacks; empty where the data set has one kind of test images. Raises InputError as `of` does."""
        flags = [self.of(path, image_id).unseen for image_id in image_ids]
        return {} if None in flags else {"unseen": flags}

    @property
    def hash(self) -> str:
        """Identify records and vocabulary."""
        return fingerprint([
            [[i, list(record.things.items()), record.colour, sorted(map(sorted, record.sides.values())),
              *([record.sizes] if record.sizes is not None else []),
              *([sorted(record.over)] if record.over is not None else [])]
             for i, record in self.records.items()],
            sorted(self.vocabulary.names), sorted(self.vocabulary.colours),
        ])


def read() -> Scenes | None:
    """Read the records of data/raw; None where the data set has none.

    Raises:
        InputError: a record is of the wrong form; names the file, the row and the key.
    """
    if not paths.scenes("test").is_file():
        return None
    rows = {split: _rows(paths.scenes(split)) for split in SPLITS if paths.scenes(split).is_file()}
    everything = [row for split in rows.values() for row in split]
    records = {row["image_id"]: _record(row) for row in rows["test"]}
    return Scenes(records, _vocabulary(everything))


def _rows(path: Path) -> list[dict[str, Any]]:
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path}: expected a list of records; make it again with stages/fetch.py")
    keys = ("image_id", "kind", "colour", "place", "relation", "objects")
    rows = [row | fields(path, "records", i, row, keys) for i, row in enumerate(content)]
    for i, row in enumerate(rows):
        for entry in row["objects"]:
            fields(path, "objects of record", i, entry, ("concept", "plural", "category"))
        if not row["objects"] or row["relation"] not in (None, *LINES):
            raise InputError(
                f"{path}: records[{i}] has {len(row['objects'])} objects and the relation "
                f"{row['relation']!r}; expected at least one, and null, {' or '.join(LINES)}"
            )
    return rows


def _record(row: dict[str, Any]) -> Record:
    things = Counter(entry["concept"] for entry in row["objects"])
    sized = "size" in row["objects"][0]
    return Record(
        dict(things), row["colour"], _sides(row, list(things)),
        {entry["concept"]: entry["category"] for entry in row["objects"]},
        row["place"] is not None or row["relation"] is not None,
        {entry["concept"]: entry["size"] for entry in row["objects"]} if sized else None,
        _over(row), row.get("unseen"),
    )


def _over(row: dict[str, Any]) -> frozenset[tuple[str, str]] | None:
    if "over" not in row:
        return None
    names = [entry["concept"] for entry in row["objects"]]
    return frozenset((names[front], names[back]) for front, back in row["over"])


def _sides(row: dict[str, Any], names: list[str]) -> dict[str, frozenset[str]]:
    if row["relation"]:
        return {name: frozenset([side]) for name, side in zip(names, LINES[row["relation"]], strict=True)}
    if len(row["objects"]) > 1:
        return {names[0]: frozenset()}
    return {names[0]: sides((row["place"] or "middle").split())}


def sides(words: list[str]) -> frozenset[str]:
    """Give the sides that words name: top and left for "upper left"."""
    return frozenset(SIDE_WORDS[word] for word in words if word in SIDE_WORDS)


def _vocabulary(rows: list[dict[str, Any]]) -> Vocabulary:
    names: dict[str, tuple[str, bool | None]] = {}
    objects = [entry for row in rows for entry in row["objects"]]
    for entry in objects:
        name, plural = entry["concept"], entry["plural"]
        names |= {name: (name, None)} if name == plural else {name: (name, False), plural: (name, True)}
    return Vocabulary(
        names, frozenset(row["colour"] for row in rows),
        frozenset(entry["category"] for entry in objects if entry["category"]),
    )
