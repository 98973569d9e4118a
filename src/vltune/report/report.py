"""All runs side by side: every table, plot and page of the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from vltune.comparison import afterwards, attention, frames
from vltune.comparison.afterwards import Afterwards
from vltune.comparison.claims import NOTHING, Claims
from vltune.comparison.compare import Comparison, compare
from vltune.comparison.runs import Run, collect
from vltune.comparison.tasks import TASKS
from vltune.comparison.trials import read_trials, summaries
from vltune.pipeline.files import write_json, write_table, write_text
from vltune.report import afterwards as after_training
from vltune.report import attention as pictures
from vltune.report import charts, page, picture_grid, readme, tables
from vltune.report.page import Content, Report
from vltune.report.text import markdown

METRICS, PLOTS = Path("metrics"), Path("plots")
TRIALS = Path("results/search.csv")
SMALL = Report(max_megabytes=1.0)


def report(
    methods: list[str], tasks: list[str], seeds: list[int], claims: Claims = NOTHING, size: Report = SMALL,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> list[str]:
    """Write the report of the runs that are there; without `claims` no difference is called equivalent.

    Only metrics/resources.csv, metrics/speed.csv and the page hold timings; everything else repeats bit for
    bit.

    Args: settings, the sections of params.yaml that the page shows.

    Returns: the results files of wanted runs that are missing.
    Raises:
        InputError: no run is there, a file is of the wrong form, or two runs of a task were scored
            differently or on other images.
    """
    runs, missing = collect(methods, tasks, seeds)
    comparisons = compare(runs, claims)
    trials = summaries(read_trials(TRIALS))
    explained = attention.collect(runs)
    checked, measured = attention.faithfulness(explained), afterwards.collect(runs)
    _write_tables(runs, comparisons, missing, checked, measured)
    picture = PLOTS / "attention.png"
    _draw(runs, comparisons, trials)
    pictures.examples(picture, [item for item in explained if item.run.task == comparisons[0].first.task])
    content = Content(runs, comparisons, trials, missing, checked, picture, dict(settings), measured)
    page.write(PLOTS / "report.html", content, size)
    return missing


def _write_tables(runs: list[Run], comparisons: list[Comparison], missing: list[str],
                  checked: list[dict[str, Any]], measured: list[Afterwards]) -> None:
    """Write the tables of metrics/, and the numbers that `dvc plots` draws.

    Every task has its file of numbers, with an empty list where
    nothing of it is reported: `dvc plots` then draws nothing.
    """
    write_table(METRICS / "comparison.csv", tables.comparison(runs))
    write_table(METRICS / "resources.csv", tables.resources(runs))
    write_table(METRICS / "methods.csv", tables.over_seeds(comparisons))
    write_table(METRICS / "verdicts.csv", tables.verdicts(comparisons))
    write_table(METRICS / "attention.csv", frames.frame(frames.ATTENTION, checked))
    write_table(METRICS / "forgetting.csv", frames.frame(frames.FORGETTING, afterwards.forgetting(measured)))
    write_table(METRICS / "storage.csv", frames.frame(frames.STORAGE, afterwards.storage(measured)))
    write_table(METRICS / "speed.csv", frames.frame(frames.SPEED, afterwards.speed(measured)))
    write_text(METRICS / "comparison.md", markdown(comparisons, missing) + after_training.markdown(measured))
    write_text(readme.BLOCK, readme.block(comparisons))
    for task, table in _quality(comparisons).items():
        write_json(PLOTS / f"quality_{task}.json", frames.records(table))
    for task in TASKS:
        curves = tables.curves([run for run in runs if run.task == task])
        write_json(PLOTS / f"curves_{task}.json", frames.records(curves))
    types = [tables.question_types(comparison.methods) for comparison in comparisons]
    write_json(PLOTS / "question_types.json", [row for table in types for row in frames.records(table)])


def _draw(runs: list[Run], comparisons: list[Comparison], trials: list[dict[str, Any]]) -> None:
    """Draw the charts and the picture grid of `dvc plots` as PNG."""
    picture_grid.write(PLOTS / "pictures", runs)
    by_metric = {TASKS[task].main: table for task, table in _quality(comparisons).items() if len(table)}
    charts.bars(PLOTS / "quality.png", by_metric)
    charts.pareto(PLOTS / "pareto.png", by_metric)
    charts.losses(PLOTS / "curves.png", tables.curves(runs))
    charts.tuning(PLOTS / "tuning.png", tables.tuning(trials))


def _quality(comparisons: list[Comparison]) -> dict[str, pd.DataFrame]:
    methods = {comparison.first.task: comparison.methods for comparison in comparisons}
    return {task: tables.quality(spec.main, methods.get(task, [])) for task, spec in TASKS.items()}
