"""Tables and sentences for a terminal: at most 100 columns, the words of verdicts in colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import fill

import pandas as pd
from rich.console import Console
from rich.text import Text

from vltune.comparison.compare import Comparison
from vltune.report.text import left_aligned, parts

WIDTH = 100
GAP = 2  # columns between two columns of a table
STYLES = {"better": "green", "worse": "red", "equivalent": "cyan", "undecided": "yellow"}


def comparison(comparisons: list[Comparison], metric: str | None = None) -> str:
    """Give the comparison's tables and sentences, task by task; with `metric`, that one alone."""
    written = [part if title or "\n" in part else sentence(part)
               for title, part in parts(comparisons, metric, table)]
    return "\n\n".join(written) + "\n"


def sentence(text: str, indent: int = 0) -> str:
    """Break a sentence into lines; all but the first are indented."""
    return fill(text, WIDTH, subsequent_indent=" " * indent)


def table(content: pd.DataFrame) -> str:
    """Write a table of text in columns of equal width; where it is wider than a terminal, in several parts
    below each other, which all begin with the table's first columns."""
    columns = [_column(name, content[name], left)
               for name, left in zip(content, left_aligned(content), strict=True)]
    blocks = ("\n".join((" " * GAP).join(row).rstrip() for row in zip(*block, strict=True))
              for block in _blocks(columns, _keys(content)))
    return "\n\n".join(blocks)


def _column(name: str, cells: pd.Series, left: bool) -> list[str]:
    width = max(map(len, (name, *cells)))
    return [cell.ljust(width) if left else cell.rjust(width) for cell in (name, *cells)]


def _keys(content: pd.DataFrame) -> int:
    """Count the columns that name a row: those of words before the first of numbers, of which there must be
    one."""
    left = left_aligned(content)
    return left.index(False) if False in left else 1


def _blocks(columns: list[list[str]], keys: int) -> Iterator[list[list[str]]]:
    """Give the columns in parts that are no wider than a terminal, if no single column is."""
    block = columns[:keys]
    for column in columns[keys:]:
        if len(block) > keys and sum(len(cells[0]) + GAP for cells in [*block, column]) - GAP > WIDTH:
            yield block
            block = columns[:keys]
        block = [*block, column]
    yield block


def show(text: str) -> None:
    """Write to the standard output, each word of a verdict in its colour where that is a terminal with
    colours and the variable NO_COLOR is not set."""
    shown = Text(text)
    for word, style in STYLES.items():
        shown.highlight_regex(re.compile(rf"\b{word}\b", re.IGNORECASE), style)
    Console(highlight=False).print(shown, end="", soft_wrap=True)
