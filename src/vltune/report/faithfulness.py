"""The check of attention in words and as a table for people: numbers of `comparison/attention.py`."""

from __future__ import annotations

from typing import Any

from vltune.comparison.attention import AGAINST, faithful
from vltune.report.text import TITLES, listed

NAMES = {"attention": "attention", "gradient": "gradient times input"}
OTHERS = {"random": "random", "lowest": "lowest", "elsewhere": "another image's"}


def table(rows: list[dict[str, Any]]) -> list[dict[str, tuple[str, str]]]:
    """Give a row for each task and method, with a column for each attribution and what it is compared with.

    A cell is a difference and its interval, in nats.
    """
    lines: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for row in rows:
        line = lines.setdefault((row["task"], row["method"]), {
            "task": (row["task"], ""), "method": (row["method"], "")})
        name = f"{NAMES[row['attribution']]}: against {OTHERS[row['against']]}"
        line[name] = (f"{row['difference']:+.2f}", f"{row['low']:+.2f} to {row['high']:+.2f}")
    return list(lines.values())


def sentences(rows: list[dict[str, Any]]) -> list[str]:
    """Say for each task which methods' attention and gradients are faithful by the check, and which are not
    shown to be."""
    return [_sentence(rows, task, attribution)
            for task in dict.fromkeys(row["task"] for row in rows) for attribution in AGAINST]


def _sentence(rows: list[dict[str, Any]], task: str, attribution: str) -> str:
    methods = faithful(rows, task, attribution)
    yes, no = ([name for name, shown in methods.items() if shown is wanted] for wanted in (True, False))
    parts = [f"a faithful explanation by this check for {listed(yes)}"] if yes else []
    parts += [f"not shown to be a faithful explanation for {listed(no)}"] if no else []
    return f"{TITLES.get(task, task)}: {NAMES[attribution]} is {'; it is '.join(parts)}."
