"""plots/report.html: everything in one file that opens without a network, and repeats bit for bit.

A table is a head and rows of cells, a cell a number and what stands under it in small letters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from vltune.comparison.compare import Comparison, Method
from vltune.comparison.runs import Run
from vltune.pipeline.files import write_text
from vltune.report import gallery
from vltune.report.tables import percent
from vltune.report.template import PAGE
from vltune.report.text import best_against_controls, in_words, meaning, note, pairs, shown, value

Cell = tuple[str, str]
Table = tuple[list[str], list[list[Cell]]]


def write(path: Path, runs: list[Run], comparisons: list[Comparison], trials: list[dict[str, Any]], missing: list[str],
          charts: dict[str, Path]) -> None:
    """Write the page; `trials` are the summaries of the search, `charts` PNGs by the name that the template gives them."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    content = environment.from_string(PAGE).render(
        tasks=[_task(one, [run for run in runs if run.task == one.first.task]) for one in comparisons],
        tuning=_tuning(trials) if trials else None,
        missing=missing,
        charts={name: gallery.address(chart.read_bytes(), "png") for name, chart in charts.items()},
        licence=gallery.licence(),
    )
    write_text(path, content)


def _task(comparison: Comparison, runs: list[Run]) -> dict[str, Any]:
    """Give what the template shows of one task."""
    kind, methods = comparison.first.kind, comparison.methods
    verdict = [in_words(comparison, kind.main), meaning(comparison), best_against_controls(methods)]
    return {
        "name": comparison.first.task, "metric": kind.main, "note": note(comparison), "verdict": [text for text in verdict if text],
        "quality": _quality(methods), "pairs": _pairs(comparison), "types": _types(methods), "sizes": _sizes(methods),
        "diversity": bool(kind.diversity), "cards": gallery.cards(runs),
    }


def _quality(methods: list[Method]) -> Table:
    """Give every metric of every method with its interval and its blind controls; in the last row the control that all share."""
    kind, names = methods[0].kind, list(methods[0].scores)
    head = ["method", "seeds", "trained", "share", *names, *(control.label for control in kind.blind)]
    rows = []
    for one in methods:
        blind = [one.control(control)[kind.main] for control in kind.blind]
        rows.append([(one.method, ""), (str(one.seeds), ""), (f"{one.result['trained_parameters']:,}", ""),
                     (percent(one.result["trained_share"]), ""), *(_score(score) for score in [*one.scores.values(), *blind])])
    if kind.baseline:
        scores = methods[0].control(kind.baseline)
        rows.append([(kind.baseline.label, ""), *[("", "")] * 3, *(_score(scores[name]) for name in names), *[("", "")] * len(kind.blind)])
    return head, rows


def _pairs(comparison: Comparison) -> Table | None:
    """Give the verdicts on all pairs; None where there is no pair."""
    cells = pairs(comparison, shown(comparison))
    return (cells[0], [[(cell, "") for cell in row] for row in cells[1:]]) if cells else None


def _types(methods: list[Method]) -> Table | None:
    """Give the main metric of every method by type of question, a row a type, under it the model when it is blind; None if
    the task has no types."""
    kind = methods[0].kind
    if kind.baseline is None:
        return None
    head = ["question type", "questions", *(one.method for one in methods), kind.baseline.label]
    rows = []
    for name, first in methods[0].result["question_types"].items():
        controls = [one.result["control_question_types"] for one in methods]
        rows.append([(name, ""), (f"{first['questions']:,}", ""),
                     *((f"{one.result['question_types'][name]['value']:.3f}", f"blind {control[kind.blind[0].name][name]['value']:.3f}")
                       for one, control in zip(methods, controls, strict=True)),
                     (f"{controls[0][kind.baseline.name][name]['value']:.3f}", "")])
    return head, rows


def _sizes(methods: list[Method]) -> Table:
    """Give what every method keeps, and how varied what it says is where the task measures that."""
    rows = []
    for one in methods:
        row = [one.method, f"{one.result['projector_parameters']:,}", f"{one.result['checkpoint_bytes'] / 1e6:,.2f}"]
        if one.kind.diversity:
            found = one.result["diversity"]
            row += [f"{found['distinct-1']:.3f}", f"{found['distinct-2']:.3f}", f"{found['vocabulary']:,.0f}",
                    percent(found["unique_share"]), percent(found["novel_share"]), f"{found['mean_length']:.1f}"]
        rows.append([(cell, "") for cell in row])
    varied = ["distinct-1", "distinct-2", "vocabulary", "unique", "novel", "length"] if methods[0].kind.diversity else []
    return ["method", "connector", "checkpoint MB", *varied], rows


def _tuning(trials: list[dict[str, Any]]) -> Table:
    """Give what the search over learning rates found for every method, and the loss that k trials are expected to find."""
    most = max(one["trials"] for one in trials)
    rows = []
    for one in trials:
        found = ", ".join(f"{name} {number:g}" for name, number in one["best"].items())
        expected = [f"{loss:.3f}" for loss in one["best_of_k"]] + [""] * (most - one["trials"])
        rows.append([(one["task"], ""), (one["method"], ""), (found, f"trial {one['trial']}, {one['steps']} steps"),
                     *((text, "") for text in expected)])
    return ["task", "method", "best values", *(f"best of {k}" for k in range(1, most + 1))], rows


def _score(score: dict[str, float | None]) -> Cell:
    return value(score), f"{score['low']:.3f} to {score['high']:.3f}" if "low" in score else ""
