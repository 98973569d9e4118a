"""The files that raters get, as a page and as a table, and the files that come back from them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from vltune.commands.rating_sheet import HIGHEST, LOWEST, SCALES, Key
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_text
from vltune.report import gallery
from vltune.report.template import render

TEMPLATE = Path(__file__).with_name("rating_page.html")
IMAGES = paths.RAW / "images/test"
SIDE, QUALITY = 400, 85  # of an image on the page: pixels at most, and of the JPEG
COLUMNS = ("sheet", "rater", "image", "letter", "caption", *SCALES)
REQUIRED = tuple(name for name in COLUMNS if name not in ("rater", "caption"))
SHOWN = 5  # problems of a file that a message lists


@dataclass(frozen=True)
class Answers:
    """The ratings of one rater: by scale [rows], in the order of the key's rows."""

    rater: str
    ratings: dict[str, np.ndarray]


def write_page(path: Path, key: Key, root: Path) -> None:
    """Write the page: one file with its images in it, which opens without a network.

    Raises:
        InputError: an image is missing or cannot be read.
    """
    groups = [(name, list(rows)) for name, rows in groupby(key.rows, key=lambda row: row.image)]
    write_text(path, render(
        TEMPLATE, sheet=key.sheet, columns=COLUMNS, steps=range(LOWEST, HIGHEST + 1),
        licence=gallery.licence(root),
        images=[(name, _embedded(root / IMAGES / name), rows) for name, rows in groups],
    ))


def write_table(path: Path, key: Key) -> None:
    """Write the same as a table for a spreadsheet, in UTF-8 with the mark that spreadsheets look for."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([key.sheet, "", row.image, row.letter, row.caption, "", ""] for row in key.rows)
    write_text(path, "\ufeff" + text.getvalue())


def read_answers(files: list[Path], key: Key) -> list[Answers]:
    """Read the files of raters; a rater is named in the file, or else by the file's name.

    Raises:
        InputError: a file is of another form or sheet, a rating is missing or out of range, a row is missing,
            repeated or left over, or two files are of one rater; names the file and the row.
    """
    answers: dict[str, tuple[Path, Answers]] = {}
    for path in files:
        answer = _read(path, key)
        if answer.rater in answers:
            raise InputError(f"{answers[answer.rater][0]} and {path} are both of the rater '{answer.rater}'")
        answers[answer.rater] = (path, answer)
    return [answer for _, answer in answers.values()]


def _read(path: Path, key: Key) -> Answers:
    rows = _table(path)
    expected = {(row.image, row.letter): i for i, row in enumerate(key.rows)}
    ratings = {scale: np.full(len(key.rows), np.nan) for scale in SCALES}
    problems, seen = [], {}
    for line, row in rows:
        caption = (row["image"], row["letter"])
        where = f"row {line} (image {caption[0]}, caption {caption[1]})"
        if row["sheet"] != key.sheet:
            raise InputError(f"{path}: row {line}: is of the sheet '{row['sheet']}', expected '{key.sheet}', "
                             "that of the key; give the other key by --key")
        if caption not in expected:
            problems.append(f"{where}: not on the sheet")
        elif caption in seen:
            problems.append(f"{where}: repeats row {seen[caption]}")
        else:
            seen[caption] = line
            problems += _take(ratings, expected[caption], row, where)
    problems += [f"no row for image {image}, caption {letter}" for image, letter in expected
                 if (image, letter) not in seen]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise InputError(f"{path}: {'; '.join(problems[:SHOWN])}{more}")
    return Answers(_rater(path, [row for _, row in rows]), ratings)


def _table(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Read the rows of a file by their numbers in a spreadsheet, without the empty ones."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text; save the table as 'CSV UTF-8'") from None
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)  # a spreadsheet may save another one
    lines = list(csv.reader(io.StringIO(text), delimiter=separator))
    names = [name.strip() for name in lines[0]] if lines else []
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise InputError(f"{path}: expected a first row with the columns {', '.join(COLUMNS)}; "
                         f"'{missing[0]}' is missing, found {header.strip()[:100]!r}")
    rows = [(number, dict.fromkeys(names, "") | dict(zip(names, map(str.strip, line), strict=False)))
            for number, line in enumerate(lines[1:], 2)]
    return [(number, row) for number, row in rows if any(row.values())]


def _take(ratings: dict[str, np.ndarray], i: int, row: dict[str, str], where: str) -> list[str]:
    """Take the ratings of a row, or say what is wrong with them."""
    problems = []
    for scale in SCALES:
        if row[scale] in map(str, range(LOWEST, HIGHEST + 1)):
            ratings[scale][i] = int(row[scale])
        else:
            cell = repr(row[scale]) if row[scale] else "empty"
            problems.append(f"{where}: {scale} is {cell}, expected a whole number from {LOWEST} to {HIGHEST}")
    return problems


def _rater(path: Path, rows: list[dict[str, str]]) -> str:
    names = sorted({row.get("rater", "") for row in rows})
    if len(names) > 1:
        raise InputError(f"{path}: expected one rater, found {', '.join(map(repr, names))}")
    return names[0] or path.stem


def _embedded(path: Path) -> str:
    try:
        return gallery.embedded(path, SIDE, QUALITY)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as an image: {error.strerror or error}") from None
