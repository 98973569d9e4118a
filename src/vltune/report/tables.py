"""Runs as rows: the tables for people, for spreadsheets and for `dvc plots`."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

from vltune import layout
from vltune.report.runs import DIVERSITY, METRICS, SIZES, TIMINGS, Run

COMPARISON = ["task", "method", "seed", *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")), *SIZES, *DIVERSITY]
RESOURCES = ["task", "method", "seed", *TIMINGS]
POINTS = 200  # of a curve in plots/curves.json, which git keeps
WINDOW_SHARE = 0.05  # of a curve's steps, for the moving mean


def comparison(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the rows of metrics/comparison.csv: quality, sizes and diversity, nothing that varies between two equal runs."""
    rows = []
    for run in runs:
        scores = {}
        for name in METRICS:
            metric = run.result["metrics"][name]
            scores |= {name: metric["value"], f"{name}_low": metric["low"], f"{name}_high": metric["high"]}
        sizes = {name: run.result[name] for name in SIZES}
        rows.append(run.row() | scores | sizes | {name: run.result["diversity"][name] for name in DIVERSITY})
    return rows


def resources(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the rows of metrics/resources.csv, for the runs that were trained."""
    return [run.row() | {name: run.resources[name] for name in TIMINGS} for run in runs if run.resources]


def labels(runs: list[Run]) -> dict[tuple[str, str, int], str]:
    """Name each run as charts and tables do: its method, with the seed where the method has several."""
    several = {(run.task, run.method) for run in runs for other in runs
               if (run.task, run.method) == (other.task, other.method) and run.seed != other.seed}
    return {(run.task, run.method, run.seed): f"{run.method}, seed {run.seed}" if (run.task, run.method) in several else run.method
            for run in runs}


def quality(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the records of plots/quality.json: CIDEr with its interval against what was trained.

    `shown_percent` is the trained share where a logarithmic axis can draw it: zero stands a decade left of the others.
    """
    positive = [100 * run.result["trained_share"] for run in runs if run.result["trained_share"] > 0]
    zero_at = 10.0 ** (math.floor(math.log10(min(positive, default=1.0))) - 1)
    names = labels(runs)
    rows = []
    for run in runs:
        cider, percent = run.result["metrics"]["CIDEr"], round(100 * run.result["trained_share"], 6)
        rows.append(run.row() | {
            "label": names[run.task, run.method, run.seed],
            "CIDEr": cider["value"], "low": cider["low"], "high": cider["high"],
            "trained_parameters": run.result["trained_parameters"], "trained_percent": percent,
            "shown_percent": percent or zero_at,
        })
    return rows


def curves(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the records of plots/curves.json: each run's training loss as a moving mean, and its validation losses."""
    records = []
    for run in runs:
        window, every = max(1, round(WINDOW_SHARE * len(run.curve))), max(1, math.ceil(len(run.curve) / POINTS))
        for i, row in enumerate(run.curve):
            if i % every and row["val_loss"] is None and i + 1 < len(run.curve):
                continue
            recent = [one["loss"] for one in run.curve[max(0, i + 1 - window):i + 1] if one["loss"] is not None]
            mean = round(sum(recent) / len(recent), 6) if recent else None
            records.append(run.row() | {"step": row["step"], "loss": mean, "val_loss": row["val_loss"]})
    return records


def markdown(runs: list[Run], missing: list[str]) -> str:
    """Give metrics/comparison.md, the table that README shows; it holds no timing, so it repeats bit for bit."""
    names = labels(runs)
    parts = []
    for task, group in groupby(runs, key=lambda run: run.task):
        same = list(group)
        rows = [[names[run.task, run.method, run.seed], *cells(run)] for run in same]
        lines = [f"| {' | '.join(line)} |" for line in (HEAD, ["---", *["---:"] * (len(HEAD) - 1)], *rows)]
        parts.append("\n".join([f"**{task}**", "", *lines, "", f"{note(same)} {verdict(same)}".strip()]))
    if missing:
        parts.append("Missing runs, left out: " + ", ".join(f"`{name}`" for name in missing) + ".")
    return "\n\n".join(parts) + "\n"


HEAD = ["method", "trained", "share", "CIDEr (interval)", "BLEU-4", "METEOR", "ROUGE-L", "distinct-2", "novel captions"]


def cells(run: Run) -> list[str]:
    """Give a run's cells under HEAD, but for its name."""
    scores, diversity = run.result["metrics"], run.result["diversity"]
    cider = scores["CIDEr"]
    return [
        f"{run.result['trained_parameters']:,}", percent(run.result["trained_share"]),
        f"{cider['value']:.3f} ({cider['low']:.3f} to {cider['high']:.3f})",
        *(f"{scores[name]['value']:.3f}" for name in ("BLEU-4", "METEOR", "ROUGE-L")),
        f"{diversity['distinct-2']:.3f}", percent(diversity["novel_share"]),
    ]


def note(runs: list[Run]) -> str:
    """Say what the numbers of one task mean: images, interval, connector."""
    signature = runs[0].result["signature"]
    sizes = sorted({run.result["connector_parameters"] for run in runs})
    return (f"{signature.get('images', '?')} test images; interval: {signature.get('interval', 'not recorded')}. "
            "Trained and share count the decoder's parameters; the connector "
            f"({' or '.join(f'{size:,}' for size in sizes)} parameters) is counted apart.")


def verdict(runs: list[Run]) -> str:
    """Say which runs' CIDEr intervals lie above the control's, the run that trains nothing of the decoder; empty without one."""
    names = labels(runs)
    trained = [run for run in runs if run.method != layout.START]
    controls = [run for run in trained if not run.result["trained_parameters"]]
    others = [run for run in trained if run.result["trained_parameters"]]
    if not controls or not others:
        return ""
    bar = max(run.result["metrics"]["CIDEr"]["high"] for run in controls)
    listed: dict[bool, list[str]] = {True: [], False: []}
    for run in others:
        listed[run.result["metrics"]["CIDEr"]["low"] > bar].append(names[run.task, run.method, run.seed])
    control = ", ".join(names[run.task, run.method, run.seed] for run in controls)
    return f"CIDEr interval wholly above that of the control ({control}): {', '.join(listed[True]) or 'none'}." + (
        f" Not so: {', '.join(listed[False])}." if listed[False] else "")


def percent(share: float) -> str:
    """Write a share with three digits that count: 0.00871 as 0.871 %."""
    return f"{100 * share:.3g} %"
