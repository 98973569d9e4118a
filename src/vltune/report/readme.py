"""The result block of README.md, copied from what the pipeline wrote: `make readme`."""

from __future__ import annotations

from pathlib import Path

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_text

START, END = "<!-- result: written by `make readme` -->\n", "<!-- end of result -->\n"


def insert(page: str, table: str) -> str:
    """Give the page with the table between the two marks.

    Raises:
        InputError: a mark is missing.
    """
    before, found, rest = page.partition(START)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise InputError(f"README.md: expected the marks {START.strip()} and {END.strip()}")
    return f"{before}{START}\n{table}\n{END}{after}"


def main() -> None:
    """Copy metrics/comparison.md into README.md."""
    readme = Path("README.md")
    write_text(readme, insert(readme.read_text(encoding="utf-8"), Path("metrics/comparison.md").read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
