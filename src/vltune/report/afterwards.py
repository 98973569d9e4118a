"""What the methods cost after their training, as tables for people: numbers of `comparison/afterwards.py`."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pandas as pd

from vltune.comparison import afterwards
from vltune.comparison.afterwards import TASKS, Afterwards
from vltune.report.cells import Cell, Table, number, table
from vltune.report.text import markdown_table

MEGABYTE = 1e6
TEXTS = {"caption": "captions", "vqa": "answers"}
EXPLAINED = (
    "Forgets: the divergence KL(base || tuned) of the decoder's next-token distributions, without an image, "
    "in nats a token, on texts that the base writes; its interval is over these texts. To keep: the base "
    "decoder once, and for each task the method's files with the projector."
)


def markdown(measured: list[Afterwards]) -> str:
    """Give a table of what is forgotten and of what there is to keep, for metrics/comparison.md; empty if
    nothing was measured. No timing is in it."""
    kept = {(row["task"], row["method"]): row for row in afterwards.storage(measured)}
    rows = [{
        "task": row["task"], "method": row["method"],
        "forgets (interval)": f"{row['nats']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
        **{_to_keep(n): _megabytes(kept[row["task"], row["method"]], n) for n in TASKS},
    } for row in afterwards.forgetting(measured)]
    if not rows:
        return ""
    return f"\n**after the training**\n\n{markdown_table(pd.DataFrame(rows))}\n\n{EXPLAINED}\n"


def page(measured: list[Afterwards], task: str) -> Table | None:
    """Give the table of the page for a task, with speeds; None if nothing was measured."""
    own = [item for item in measured if item.run.task == task]
    kept = {row["method"]: row for row in afterwards.storage(own)}
    rows = []
    for row in afterwards.forgetting(own):
        rates = [item.speed for item in own if item.run.method == row["method"] and item.speed]
        rows.append({
            "method": Cell(row["method"]),
            "forgets": number(row["nats"], ".3f", f"{row['low']:.3f} to {row['high']:.3f}"),
            f"{TEXTS[task]} per s": _rate(rates, "attached_per_second"),
            "merged": _rate(rates, "merged_per_second"),
            **{_to_keep(n): Cell(_megabytes(kept[row["method"]], n), "",
                                 kept[row["method"]][f"tasks_{n}_bytes"]) for n in TASKS},
        })
    return table(rows) if rows else None


def _rate(rates: list[dict[str, Any]], name: str) -> Cell:
    known = [rate[name] for rate in rates if rate[name] is not None]
    return number(fmean(known), ".1f") if known else Cell("not possible" if rates else "")


def _to_keep(tasks: int) -> str:
    return f"MB to keep, {tasks} task{'s' * (tasks > 1)}"


def _megabytes(row: dict[str, Any], tasks: int) -> str:
    return f"{row[f'tasks_{tasks}_bytes'] / MEGABYTE:,.0f}"
