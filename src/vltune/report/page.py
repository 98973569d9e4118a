"""plots/report.html: everything in one file that opens without a network, and repeats bit for bit.

A table is a DataFrame of HTML; a cell may have a second text under it in small letters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from vltune.comparison.compare import Comparison, Method
from vltune.comparison.runs import Run
from vltune.pipeline.files import write_text
from vltune.report import faithfulness, gallery
from vltune.report.note import note
from vltune.report.tables import percent
from vltune.report.template import render
from vltune.report.text import best_against_controls, in_words, meaning, pairs, shown, value

TEMPLATE = Path(__file__).with_name("page.html")


def write(
    path: Path, runs: list[Run], comparisons: list[Comparison], trials: list[dict[str, Any]],
    missing: list[str], attention: list[dict[str, Any]], charts: dict[str, Path],
) -> None:
    """Write the page; `trials` are the summaries of the search, `attention` the rows of its check,
    `charts` PNGs by the name that the template gives them."""
    content = render(
        TEMPLATE,
        tasks=[
            _task(comparison, [run for run in runs if run.task == comparison.first.task])
            for comparison in comparisons
        ],
        tuning=_tuning(trials) if trials else None,
        attention=_attention(attention) if attention else None,
        missing=missing,
        charts={name: gallery.address(chart.read_bytes(), "png") for name, chart in charts.items()},
        licence=gallery.licence(),
    )
    write_text(path, content)


def _task(comparison: Comparison, runs: list[Run]) -> dict[str, Any]:
    """Give what the template shows of one task."""
    spec, methods, table = comparison.first.spec, comparison.methods, pairs(comparison, shown(comparison))
    verdict = [in_words(comparison, spec.main), meaning(comparison), best_against_controls(methods)]
    return {
        "name": comparison.first.task, "metric": spec.main, "note": note(comparison),
        "verdict": [text for text in verdict if text], "quality": _quality(methods),
        "pairs": _html(table) if len(table) else None, "types": _types(methods), "sizes": _sizes(methods),
        "diversity": bool(spec.diversity), "cards": gallery.cards(runs),
    }


def _quality(methods: list[Method]) -> Markup:
    """Give every metric of every method with its interval and
    its blind controls, and last the control that all share."""
    task = methods[0].spec
    rows = []
    for method in methods:
        row = {
            "method": method.method, "seeds": str(method.seeds),
            "trained": f"{method.result['trained_parameters']:,}",
            "share": percent(method.result["trained_share"]),
        }
        row |= {name: _score(score) for name, score in method.scores.items()} | method.not_computed
        rows.append(
            row | {control.label: _score(method.control(control)[task.main]) for control in task.blind}
        )
    if task.baseline:
        scores = methods[0].control(task.baseline)
        rows.append(
            {"method": task.baseline.label, **{name: _score(scores[name]) for name in methods[0].scores}}
        )
    return _html(rows)


def _types(methods: list[Method]) -> Markup | None:
    """Give the main metric of every method by type of question,
    under it that of the blind model; None without types."""
    task = methods[0].spec
    if task.baseline is None:
        return None
    rows = []
    for name, first in methods[0].result["question_types"].items():
        row = {"question type": name, "questions": f"{first['questions']:,}"}
        for method in methods:
            blind = method.result["control_question_types"][task.blind[0].name].get(name)
            row[method.method] = _cell(
                f"{method.result['question_types'][name]['value']:.3f}",
                f"blind {blind['value']:.3f}" if blind else "blind: not asked",
            )
        common = methods[0].result["control_question_types"][task.baseline.name][name]["value"]
        rows.append(row | {task.baseline.label: f"{common:.3f}"})
    return _html(rows)


def _sizes(methods: list[Method]) -> Markup:
    """Give the size of what every method keeps, and the
    diversity of its texts where the task measures that."""
    rows = []
    for method in methods:
        row = {"method": method.method, "projector": f"{method.result['projector_parameters']:,}",
               "checkpoint MB": f"{method.result['checkpoint_bytes'] / 1e6:,.2f}"}
        if method.spec.diversity:
            diversity = method.result["diversity"]
            row |= {
                "distinct-1": f"{diversity['distinct-1']:.3f}",
                "distinct-2": f"{diversity['distinct-2']:.3f}",
                "vocabulary": f"{diversity['vocabulary']:,.0f}", "unique": percent(diversity["unique_share"]),
                "novel": percent(diversity["novel_share"]), "length": f"{diversity['mean_length']:.1f}",
            }
        rows.append(row)
    return _html(rows)


def _tuning(trials: list[dict[str, Any]]) -> Markup:
    """Give the best values of the search for every method,
    and the loss that k trials are expected to reach."""
    rows = []
    for trial in trials:
        best = ", ".join(f"{name} {number:g}" for name, number in trial["best"].items())
        row = {"task": trial["task"], "method": trial["method"],
               "best values": _cell(best, f"trial {trial['trial']}, {trial['steps']} steps")}
        rows.append(row | {f"best of {k}": f"{loss:.3f}" for k, loss in enumerate(trial["best_of_k"], 1)})
    return _html(rows)


def _attention(rows: list[dict[str, Any]]) -> dict[str, Any]:
    lines = [{name: _cell(*cell) for name, cell in line.items()} for line in faithfulness.table(rows)]
    return {"table": _html(lines), "verdict": faithfulness.sentences(rows)}


def _html(rows: list[dict[str, Any]] | pd.DataFrame) -> Markup:
    table = pd.DataFrame(rows).fillna("").map(escape).rename(columns=escape)
    return Markup(table.to_html(index=False, escape=False, border=0))  # every cell is escaped


def _score(score: dict[str, float | None]) -> Markup:
    return _cell(value(score), f"{score['low']:.3f} to {score['high']:.3f}" if "low" in score else "")


def _cell(text: str, small: str) -> Markup:
    return Markup("{}<small>{}</small>").format(text, small) if small else escape(text)
