"""All runs side by side: every table, plot and page of the comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vltune.comparison import attention, frames
from vltune.comparison.claims import NOTHING, Claims
from vltune.comparison.compare import Comparison, compare
from vltune.comparison.runs import Run, collect
from vltune.comparison.tasks import TASKS
from vltune.comparison.trials import read_trials, summaries
from vltune.pipeline.files import write_json, write_table, write_text
from vltune.report import attention as pictures
from vltune.report import charts, page, readme, tables
from vltune.report.text import markdown

METRICS, PLOTS = Path("metrics"), Path("plots")
TRIALS = Path("results/search.csv")


def report(methods: list[str], tasks: list[str], seeds: list[int], claims: Claims = NOTHING) -> list[str]:
    """Write the report of the runs that are there; without `claims` no difference is called equivalent.

    Only metrics/resources.csv holds timings; everything else repeats bit for bit.

    Returns: the results files of wanted runs that are missing.
    Raises:
        InputError: no run is there, a file is of the wrong form, or two runs of a task were scored
            differently or on other images.
    """
    runs, missing = collect(methods, tasks, seeds)
    comparisons = compare(runs, claims)
    write_table(METRICS / "comparison.csv", tables.comparison(runs))
    write_table(METRICS / "resources.csv", tables.resources(runs))
    write_table(METRICS / "methods.csv", tables.over_seeds(comparisons))
    write_table(METRICS / "verdicts.csv", tables.verdicts(comparisons))
    write_text(METRICS / "comparison.md", markdown(comparisons, missing))
    write_text(readme.BLOCK, readme.block(comparisons))
    trials = summaries(read_trials(TRIALS))
    explained = attention.collect(runs)
    checked = attention.faithfulness(explained)
    write_table(METRICS / "attention.csv", frames.frame(frames.ATTENTION, checked))
    drawn = _plots(runs, comparisons, trials) | {"attention": PLOTS / "attention.png"}
    pictures.examples(drawn["attention"], [item for item in explained if item.run.task == tasks[0]])
    page.write(PLOTS / "report.html", runs, comparisons, trials, missing, checked, drawn)
    return missing


def _plots(runs: list[Run], comparisons: list[Comparison], trials: list[dict[str, Any]]) -> dict[str, Path]:
    """Write the numbers that `dvc plots` draws, and the same as PNGs; give the PNGs by name.

    Every task has its file of numbers, with an empty list where
    nothing of it is reported: `dvc plots` then draws nothing.
    """
    methods = {comparison.first.task: comparison.methods for comparison in comparisons}
    quality = {task: tables.quality(spec.main, methods.get(task, [])) for task, spec in TASKS.items()}
    for task, table in quality.items():
        write_json(PLOTS / f"quality_{task}.json", frames.records(table))
    curves = tables.curves(runs)
    write_json(PLOTS / "curves.json", frames.records(curves))
    drawn = {name: PLOTS / f"{name}.png" for name in ("quality", "pareto", "curves", "tuning")}
    by_metric = {TASKS[task].main: table for task, table in quality.items() if len(table)}
    charts.bars(drawn["quality"], by_metric)
    charts.pareto(drawn["pareto"], by_metric)
    charts.losses(drawn["curves"], curves)
    charts.tuning(drawn["tuning"], tables.tuning(trials))
    return drawn
