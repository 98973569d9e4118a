"""metrics/comparison.md: the tables that README shows."""

from __future__ import annotations

from itertools import groupby

from vltune.report.runs import Run
from vltune.report.tables import labels, percent
from vltune.report.verdicts import note, verdict


def markdown(runs: list[Run], missing: list[str]) -> str:
    """Give a table a task; it holds no timing, so it repeats bit for bit."""
    parts = []
    for task, group in groupby(runs, key=lambda run: run.task):
        same = list(group)
        lines = [f"| {' | '.join(line)} |" for line in table(same)]
        parts += [f"**{task}**", "\n".join(lines), note(same), verdict(same)]
    if missing:
        parts.append("Missing runs, left out: " + ", ".join(f"`{name}`" for name in missing) + ".")
    return "\n\n".join(filter(None, parts)) + "\n"


def table(runs: list[Run]) -> list[list[str]]:
    """Give the cells of one task's table: the head, the rule, a row a run, and the control that all runs share."""
    kind, names = runs[0].kind, labels(runs)
    listed = [name for name in kind.listed if name in runs[0].scores]
    varied = {"distinct-2": "distinct-2", "novel_share": "novel captions"} if kind.diversity else {}
    head = ["method", "trained", "share", f"{kind.main} (interval)", *listed, *(control.label for control in kind.blind), *varied.values()]
    rows = []
    for run in runs:
        rows.append([
            names[run.task, run.method, run.seed], f"{run.result['trained_parameters']:,}", percent(run.result["trained_share"]),
            interval(run.main), *(f"{run.scores[name]['value']:.3f}" for name in listed),
            *(f"{run.control(control)[kind.main]['value']:.3f}" for control in kind.blind),
            *([f"{run.result['diversity']['distinct-2']:.3f}", percent(run.result["diversity"]["novel_share"])] if varied else []),
        ])
    if kind.floor:
        scores = runs[0].control(kind.floor)
        row = [kind.floor.label, "", "", interval(scores[kind.main]), *(f"{scores[name]['value']:.3f}" for name in listed)]
        rows.append([*row, *[""] * (len(head) - len(row))])
    return [head, ["---", *["---:"] * (len(head) - 1)], *rows]


def interval(score: dict[str, float]) -> str:
    """Write a score with its interval."""
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
