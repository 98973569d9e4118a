"""Large JSON files, read and written row by row: an object whose lists are too long to be held parsed.

The standard library's decoder takes one row at a time out of a buffer, so memory is that of a few rows.
(ijson 3.6 keeps the path to each value, so its memory grows with the square of the nesting: 100 kB of opening
brackets took 21 GB.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, whole

CHUNK = 1 << 20  # characters read at once
DELAY = 4.0  # seconds before the progress bar
DECODER = json.JSONDecoder()
WHITE_SPACE = re.compile(r"[ \t\n\r]*")


def read_rows(path: Path, names: tuple[str, ...], form: str) -> Iterator[tuple[str, int, Any]]:
    """Yield the name of a list, the index of a row and the row, for the named lists of a file's object.

    Rows come in the order of the file. `form` says what the file must be, for the message. A file that takes
    long shows a progress bar.

    Raises:
        InputError: the file is missing, is not UTF-8 or not JSON, or is not an object with these lists;
            the rows before a fault have been given then.
    """
    seen = set()
    try:
        with Path(path).open(encoding="utf-8") as file:
            bar = tqdm(_entries(_Buffer(file)), Path(path).name, unit="row", mininterval=2, delay=DELAY)
            for name, index, value in bar:
                if index is None:
                    seen -= {name}
                elif name in names:
                    seen.add(name)
                    if index >= 0:
                        yield name, index, value
    except (OSError, ValueError, RecursionError):
        read_json(path)  # raises InputError with the line and the column
        raise InputError(f"{path}: expected {form}") from None
    if seen < {*names}:
        raise InputError(f"{path}: expected {form}")


def write_rows(path: Path, content: Mapping[str, Any], lists: Mapping[str, Iterable[Any]]) -> None:
    """Write the object `content | lists` as `files.write_json` would, byte for byte, but the lists row by
    row: they may be generators."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        before = "{\n "
        for name, value in content.items():
            file.write(f"{before}{_text(name, 1)}: {_text(value, 1)}")
            before = ",\n "
        for name, rows in lists.items():
            file.write(f"{before}{_text(name, 1)}: [")
            before = "\n  "
            for row in rows:
                file.write(f"{before}{_text(row, 2)}")
                before = ",\n  "
            file.write("]" if before == "\n  " else "\n ]")
            before = ",\n "
        file.write("\n}\n")


def _text(value: Any, depth: int) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n" + " " * depth)


def _entries(buffer: _Buffer) -> Iterator[tuple[str, int | None, Any]]:
    """Yield what an object holds: key, index and row for each row of a list, and before them key, -1, None;
    key, None and the value for what is no list. Raises ValueError if it is no object."""
    buffer.take("{")
    ends = buffer.peek() == "}" and buffer.take("}")
    while not ends:
        key = buffer.value()
        buffer.take(":")
        if buffer.peek() == "[":
            yield key, -1, None
            for index, row in enumerate(_rows(buffer)):
                yield key, index, row
        else:
            yield key, None, buffer.value()
        ends = buffer.take(",}") == "}"
        if not ends and buffer.peek() != '"':
            raise ValueError
    if buffer.peek():
        raise ValueError


def _rows(buffer: _Buffer) -> Iterator[Any]:
    buffer.take("[")
    ends = buffer.peek() == "]" and buffer.take("]")
    while not ends:
        yield buffer.value()
        ends = buffer.take(",]") == "]"


class _Buffer:
    """The part of a file that is being decoded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text, self._at = "", 0

    def peek(self) -> str:
        """Give the next character that is no white space, and leave it there; empty at the end."""
        while True:
            self._at = WHITE_SPACE.match(self._text, self._at).end()
            if self._at < len(self._text) or not self._more():
                return self._text[self._at:self._at + 1]

    def take(self, expected: str) -> str:
        """Take the next character, which must be among the expected; raises ValueError."""
        character = self.peek()
        if not character or character not in expected:
            raise ValueError
        self._at += 1
        return character

    def value(self) -> Any:
        """Take the next value, which must be whole; raises ValueError or RecursionError."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or not self._more():  # a number may go on behind the buffer
                    self._at = end
                    return value
            except ValueError:
                if not self._more():
                    raise

    def _more(self) -> bool:
        """Read on, at least as much as there is: a long value is decoded again few times."""
        rest = self._text[self._at:]
        new = self._file.read(max(CHUNK, len(rest)))
        if new:
            self._text, self._at = rest + new, 0
        return bool(new)
