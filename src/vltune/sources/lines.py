"""Text files of a data set, read line by line, with the name of each line for messages."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where each line is and its text without white space at the ends; empty lines are left out.

    Raises:
        InputError: the file is missing, or is not UTF-8; names the file.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:  # Excel begins a file with a byte order mark
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}: line {number}", line.strip()
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text, found something else after line {number}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_table(
    path: Path, required: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each row of a CSV file or a file of JSON lines is, and the row with these keys.

    An optional key that is missing or empty is None. Values of CSV are texts.

    Raises:
        InputError: the file or a row is of another form, or lacks a required key; names file and line.
    """
    rows = _csv_rows(path, required) if path.suffix == ".csv" else _json_lines(path)
    for where, row in rows:
        missing = [name for name in required if row.get(name) in (None, "")]
        if missing:
            raise InputError(f"{where} has no {missing[0]!r}; expected {', '.join(required)}")
        yield where, {name: row[name] for name in required} | {
            name: row.get(name) or None for name in optional}


def _csv_rows(path: Path, required: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = [str(name).strip() for name in reader.fieldnames or ()]
            missing = [name for name in required if name not in header]
            if missing:
                raise InputError(f"{path}: has no column {missing[0]!r}; its columns are "
                                 f"{', '.join(header)}; expected {', '.join(required)}, separated by commas")
            reader.fieldnames = header
            for row in reader:
                where = f"{path}: line {reader.line_num}"
                if None in row or None in row.values():
                    raise InputError(
                        f"{where}: expected {len(header)} cells; put a text with commas in quotes"
                    )
                yield where, row
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: not valid CSV: {error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text; save the table as CSV in UTF-8") from None


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, line in read_lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: expected an object, found {line[:80]}")
        yield where, row
