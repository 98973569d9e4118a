"""Trials of a search over learning rates: the table that they are kept in, and what k of them would have found."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_table
from vltune.pipeline.records import fields

NAMES = ("method", "task", "trial")
FACTS = ("steps", "seed", "val_loss", "seconds", "note", "conditions")
TYPES = {"trial": int, "steps": int, "seed": int, "val_loss": float, "seconds": float, "note": str, "conditions": str,
         "method": str, "task": str}


def read_trials(path: Path) -> list[dict[str, Any]]:
    """Read the table of trials; none if there is no file. The columns between `trial` and `steps` are the searched values.

    Raises:
        InputError: a column is missing, or a number is none; names the row.
    """
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for i, row in enumerate(rows):
        fields(path, "row ", i, row, (*NAMES, *FACTS))
        try:
            found.append({name: TYPES.get(name, float)(value) for name, value in row.items() if value or name in TYPES})
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: row {i + 1}: expected numbers: {error}") from None
    return found


def write_trials(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table of trials whole."""
    searched = sorted({name for row in rows for name in row} - {*NAMES, *FACTS})
    write_table(path, list(rows), [*NAMES, *searched, *FACTS])


def summary(rows: Sequence[dict[str, Any]], task: str, method: str) -> dict[str, Any]:
    """Give the values of a method's best trial, where they are from, and the expected best of k trials.

    Of each method of the task as many trials count as the one with the fewest has.
    """
    counts = Counter(row["method"] for row in rows if row["task"] == task)
    own = [row for row in rows if (row["task"], row["method"]) == (task, method)][:min(counts.values())]
    first = min(own, key=lambda row: row["val_loss"])
    return {"best": {name: value for name, value in first.items() if name not in (*NAMES, *FACTS)}, "val_loss": first["val_loss"],
            "trial": first["trial"], "note": first["note"], "trials": len(own), "steps": first["steps"], "seed": first["seed"],
            "best_of_k": [round(one, 6) for one in best_of_k([row["val_loss"] for row in own])]}


def summaries(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the summary of every task and method, in their order."""
    names = dict.fromkeys((row["task"], row["method"]) for row in rows)
    return [{"task": task, "method": method, **summary(rows, task, method)} for task, method in names]


def best_of_k(losses: Sequence[float]) -> list[float]:
    """Expect the least loss of k trials, for k = 1 to n, from the n losses of independent trials.

    Of the sorted losses v_1 <= ... <= v_n, v_i is the least of k draws with probability ((n-i+1)/n)^k - ((n-i)/n)^k.

    Trials of a low-discrepancy sequence are spread more evenly than independent ones, so this expects too little of them.

    Source: Dodge et al. 2019, Show Your Work, section 3.1 (equations 3 to 6), for the least instead of the greatest.
    """
    n = len(losses)
    return [sum(loss * (((n - i) / n) ** k - ((n - i - 1) / n) ** k) for i, loss in enumerate(sorted(losses))) for k in range(1, n + 1)]
