"""The result block of README.md: made by the pipeline, copied by `make readme`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from vltune.comparison.compare import Comparison
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_text
from vltune.report.answer import against_most_trained, most_trained
from vltune.report.tables import everything, percent
from vltune.report.text import interval, markdown_table

BLOCK = Path("metrics/readme.md")
START, END = "<!-- result: written by `make readme` -->\n", "<!-- end of result -->\n"


def block(comparisons: list[Comparison]) -> str:
    """Give the small result table, a row for each task and method: its main metric, its blind control, and
    the verdict on it against the method that trains most."""
    table = pd.DataFrame([row for comparison in comparisons for row in _rows(comparison)])
    return markdown_table(table.fillna("")) + "\n"


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    task, methods = comparison.first.spec, comparison.methods
    most, words = most_trained(methods).method, against_most_trained(comparison)
    score = f"score ({100 * comparison.first.settings.confidence:g} % interval)"
    return [{"task": f"{comparison.first.task} ({task.main})", "method": method.method,
             "trained": percent(method.result["trained_share"]), "with projector": percent(share),
             score: interval(method.main),
             "blind": f"{method.blind['value']:.3f}",
             f"against {most}": words[method.method][0] if method.method in words else ""}
            for method, share in zip(methods, everything(methods), strict=True)]


def insert(page: str, table: str) -> str:
    """Give the page with the table between the two marks.

    Raises:
        InputError: a mark is missing.
    """
    before, marked, rest = page.partition(START)
    _, ended, after = rest.partition(END)
    if not marked or not ended:
        raise InputError(f"README.md: expected the marks {START.strip()} and {END.strip()}")
    return f"{before}{START}\n{table}\n{END}{after}"


def main() -> None:
    """Copy metrics/readme.md into README.md."""
    readme = Path("README.md")
    write_text(readme, insert(readme.read_text(encoding="utf-8"), BLOCK.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
