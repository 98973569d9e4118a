"""plots/report.html: everything in one file that opens without a network, and repeats bit for bit.

A table is a head and rows of cells, a cell a number and what stands under it in small letters.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from vltune.files import write_text
from vltune.report import gallery
from vltune.report.runs import Run
from vltune.report.tables import labels, percent
from vltune.report.template import PAGE
from vltune.report.verdicts import note, verdict

Cell = tuple[str, str]
Table = tuple[list[str], list[list[Cell]]]


def write(path: Path, runs: list[Run], missing: list[str], charts: dict[str, Path]) -> None:
    """Write the page; `charts` are PNGs by the name that the template gives them."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    content = environment.from_string(PAGE).render(
        tasks=[_task(task, list(group)) for task, group in groupby(runs, key=lambda run: run.task)],
        missing=missing,
        charts={name: gallery.address(chart.read_bytes(), "png") for name, chart in charts.items()},
        licence=gallery.licence(),
    )
    write_text(path, content)


def _task(task: str, runs: list[Run]) -> dict[str, Any]:
    """Give what the template shows of one task."""
    names = labels(runs)
    return {
        "name": task, "metric": runs[0].kind.main, "note": note(runs), "verdict": verdict(runs), "quality": _quality(runs),
        "types": _types(runs), "sizes": _sizes(runs), "diversity": bool(runs[0].kind.diversity), "cards": gallery.cards(runs, names),
    }


def _quality(runs: list[Run]) -> Table:
    """Give every metric of every run with its interval and its blind controls; in the last row the control that all share."""
    kind, names = runs[0].kind, list(runs[0].scores)
    head = ["method", "trained", "share", *names, *(control.label for control in kind.blind)]
    rows = []
    for run, name in _named(runs):
        blind = [run.control(control)[kind.main] for control in kind.blind]
        rows.append([(name, ""), (f"{run.result['trained_parameters']:,}", ""), (percent(run.result["trained_share"]), ""),
                     *(_score(score) for score in [*run.scores.values(), *blind])])
    if kind.floor:
        scores = runs[0].control(kind.floor)
        rows.append([(kind.floor.label, ""), ("", ""), ("", ""), *(_score(scores[name]) for name in names), *[("", "")] * len(kind.blind)])
    return head, rows


def _types(runs: list[Run]) -> Table | None:
    """Give the main metric of every run by type of question, a row a type, under it the run when it is blind; None if the
    task has no types."""
    kind = runs[0].kind
    if kind.floor is None:
        return None
    head = ["question type", "questions", *(name for _, name in _named(runs)), kind.floor.label]
    rows = []
    for name, first in runs[0].result["question_types"].items():
        controls = [run.result["control_question_types"] for run in runs]
        rows.append([(name, ""), (f"{first['questions']:,}", ""),
                     *((f"{run.result['question_types'][name]['value']:.3f}", f"blind {control[kind.blind[0].name][name]['value']:.3f}")
                       for run, control in zip(runs, controls, strict=True)),
                     (f"{controls[0][kind.floor.name][name]['value']:.3f}", "")])
    return head, rows


def _sizes(runs: list[Run]) -> Table:
    """Give what every run keeps, and how varied what it says is where the task measures that."""
    rows = []
    for run, name in _named(runs):
        row = [name, f"{run.result['connector_parameters']:,}", f"{run.result['checkpoint_bytes'] / 1e6:,.2f}"]
        if run.kind.diversity:
            found = run.result["diversity"]
            row += [f"{found['distinct-1']:.3f}", f"{found['distinct-2']:.3f}", f"{found['vocabulary']:,}",
                    percent(found["unique_share"]), percent(found["novel_share"]), f"{found['mean_length']:.1f}"]
        rows.append([(cell, "") for cell in row])
    varied = ["distinct-1", "distinct-2", "vocabulary", "unique", "novel", "length"] if runs[0].kind.diversity else []
    return ["method", "connector", "checkpoint MB", *varied], rows


def _named(runs: list[Run]) -> list[tuple[Run, str]]:
    names = labels(runs)
    return [(run, names[run.task, run.method, run.seed]) for run in runs]


def _score(score: dict[str, float]) -> Cell:
    return f"{score['value']:.3f}", f"{score['low']:.3f} to {score['high']:.3f}"
