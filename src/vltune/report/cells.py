"""Tables of the page: cells with a second text in small letters, and a value to sort by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vltune.report.text import value


class Cell(NamedTuple):
    """A cell; `order` is what its column is sorted by: a number, or the text if it has none."""

    text: str
    small: str = ""
    order: float | None = None


class Table(NamedTuple):
    """A table, with the names of its columns."""

    columns: list[str]
    rows: list[list[Cell]]


def table(rows: Sequence[Mapping[str, Cell | str]]) -> Table:
    """Build a table from rows by column; columns stand in the order of their first row, and a cell that a row
    lacks is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(columns, [[_cell(row.get(name, "")) for name in columns] for row in rows])


def number(x: float, form: str, small: str = "") -> Cell:
    """Write a number as `format` does."""
    return Cell(format(x, form), small, float(x))


def score(numbers: Mapping[str, float | None]) -> Cell:
    """Write a score, under it its interval where it has one."""
    ends = f"{numbers['low']:.3f} to {numbers['high']:.3f}" if "low" in numbers else ""
    return Cell(value(numbers), ends, numbers["value"])


def _cell(content: Cell | str) -> Cell:
    return content if isinstance(content, Cell) else Cell(content)
