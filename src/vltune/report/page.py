"""plots/report.html: everything in one file that opens without a network, and repeats bit for bit."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from vltune.files import write_text
from vltune.report import gallery, tables
from vltune.report.runs import DIVERSITY, METRICS, Run
from vltune.report.template import PAGE


def write(path: Path, runs: list[Run], missing: list[str], charts: dict[str, Path]) -> None:
    """Write the page; `charts` are PNGs by the name that the template gives them."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    content = environment.from_string(PAGE).render(
        tasks=[_task(task, list(group)) for task, group in groupby(runs, key=lambda run: run.task)],
        missing=missing,
        charts={name: gallery.address(chart.read_bytes(), "png") for name, chart in charts.items()},
        metrics=METRICS,
        licence=gallery.licence(),
    )
    write_text(path, content)


def _task(task: str, runs: list[Run]) -> dict[str, Any]:
    """Give what the template shows of one task, as text."""
    names = tables.labels(runs)
    return {
        "name": task,
        "note": tables.note(runs),
        "verdict": tables.verdict(runs),
        "rows": [_row(names[run.task, run.method, run.seed], run) for run in runs],
        "cards": gallery.cards(runs, names),
    }


def _row(name: str, run: Run) -> dict[str, Any]:
    diversity = {key: run.result["diversity"][key] for key in DIVERSITY}
    return {
        "name": name,
        "trained": f"{run.result['trained_parameters']:,}",
        "share": tables.percent(run.result["trained_share"]),
        "connector": f"{run.result['connector_parameters']:,}",
        "megabytes": f"{run.result['checkpoint_bytes'] / 1e6:,.2f}",
        "scores": [{key: f"{run.result['metrics'][metric][key]:.3f}" for key in ("value", "low", "high")} for metric in METRICS],
        "diversity": [
            f"{diversity['distinct-1']:.3f}", f"{diversity['distinct-2']:.3f}", f"{diversity['vocabulary']:,}",
            tables.percent(diversity["unique_share"]), tables.percent(diversity["novel_share"]), f"{diversity['mean_length']:.1f}",
        ],
    }
