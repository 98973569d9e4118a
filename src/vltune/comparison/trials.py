"""Trials of a search over learning rates: their table, the
best of each method, and the expected best of k trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vltune.comparison import frames
from vltune.comparison.frames import REAL, TRIAL, TRIAL_RESULT, Column
from vltune.pipeline.files import write_table

KNOWN = frames.names([*TRIAL, *TRIAL_RESULT])


def read_trials(path: Path) -> list[dict[str, Any]]:
    """Read the table of trials; none if there is no file. A
    trial lacks the values that its method does not search.

    Raises:
        InputError: a column is missing, or a cell is no number; names the row.
    """
    if not path.is_file():
        return []
    table = frames.read(path, [*TRIAL, *TRIAL_RESULT]).fillna({"note": ""})
    return [
        {name: value for name, value in row.items() if value is not None} for row in frames.records(table)
    ]


def write_trials(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table of trials whole; the searched values stand between `trial` and `steps`."""
    searched = sorted({name for row in rows for name in row} - {*KNOWN})
    values = [Column(name, REAL, "", "searched value") for name in searched]
    write_table(path, frames.frame([*TRIAL, *values, *TRIAL_RESULT], rows))


def summary(rows: Sequence[dict[str, Any]], task: str, method: str) -> dict[str, Any]:
    """Give the values of a method's best trial, its number and training, and the expected best of k trials.

    Of each method of the task as many trials count as the one with the fewest has.
    """
    table = frames.frame([*TRIAL, *TRIAL_RESULT], rows)
    of_task = table[table["task"] == task]
    own = of_task[of_task["method"] == method].head(of_task["method"].value_counts().min())
    best = rows[own["val_loss"].idxmin()]
    losses = own["val_loss"].tolist()
    return {
        "best": {name: value for name, value in best.items() if name not in KNOWN},
        "val_loss": best["val_loss"], "trial": best["trial"], "note": best["note"], "trials": len(own),
        "steps": best["steps"], "seed": best["seed"],
        "best_of_k": [round(loss, 6) for loss in best_of_k(losses)],
    }


def summaries(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the summary of every task and method, in their order."""
    pairs = dict.fromkeys((row["task"], row["method"]) for row in rows)
    return [{"task": task, "method": method, **summary(rows, task, method)} for task, method in pairs]


def best_of_k(losses: Sequence[float]) -> list[float]:
    """Expect the lowest loss of k trials, for k = 1 to n, from the n losses of independent trials.

    Of the sorted losses v_1 <= ... <= v_n, v_i is the lowest
    of k draws with probability ((n-i+1)/n)^k - ((n-i)/n)^k.

    The trials of a low-discrepancy sequence are spread more evenly than independent ones, so this
    underestimates what few of them reach.

    Source: Dodge et al. 2019, Show Your Work, section 3.1
    (equations 3 to 6), for the lowest instead of the highest.
    """
    n, ordered = len(losses), sorted(losses)
    return [sum(loss * (((n - i) / n) ** k - ((n - i - 1) / n) ** k) for i, loss in enumerate(ordered))
            for k in range(1, n + 1)]
