"""vltune compare: methods with intervals, and verdicts on their pairs, as the report has them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from vltune.commands import terminal
from vltune.comparison import frames
from vltune.comparison.choice import compared, trainings, values
from vltune.comparison.claims import NOTHING, Claims
from vltune.comparison.compare import Comparison, compare
from vltune.comparison.runs import Run, collect
from vltune.comparison.runs import read_results as runs_in
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import choice_of, load
from vltune.report import tables, text

FORMS = ("terminal", "markdown", "csv")


def main(results: list[str], task: str | None, metric: str | None, form: str, root: Path) -> None:
    """Print the comparison of the given results, or of those that params.yaml asks for.

    Raises:
        InputError: a file or a choice is wrong, results cannot be compared, or (after printing) one that
            params.yaml asks for is missing.
    """
    choice_of("unknown format", form, FORMS)
    if results:
        runs, missing = read_results(results), []
    else:
        params = root / "params.yaml"
        chosen = (compared(params), trainings(task, params), values("seeds", int, params))
        runs, missing = collect(*chosen, root)
    if task is not None:
        choice_of("unknown task", task, list(dict.fromkeys(run.task for run in runs)))
    claims = read_claims(root / "params.yaml")
    comparisons = compare([run for run in runs if task in (None, run.task)], claims)
    if metric is not None:
        choice_of(
            "unknown metric", metric,
            list(dict.fromkeys(name for comparison in comparisons for name in comparison.first.scores)),
        )
        comparisons = [comparison for comparison in comparisons if metric in comparison.first.scores]
    write(comparisons, metric, form)
    if missing:
        raise InputError(
            f"{len(missing)} results are missing and left out: {', '.join(missing)}; make them with `dvc "
            f"repro`"
        )


def read_claims(path: Path) -> Claims:
    """Read the margins; results from elsewhere are compared without them where there is no params.yaml."""
    return load(Claims, "claims", path) if path.is_file() else NOTHING


def read_results(results: list[str]) -> list[Run]:
    """Read results files, each as RESULTS.json or NAME=RESULTS.json.

    Raises:
        InputError: a file is missing or of the wrong form, or two are about the same method, task and seed.
    """
    runs: dict[tuple[str, str, int], tuple[str, Run]] = {}
    for word in results:
        name, _, path = word.rpartition("=") if not Path(word).is_file() else ("", "", word)
        for read in runs_in(Path(path)):
            run = replace(read, method=name or read.method)
            key = (run.method, run.task, run.seed)
            if key in runs:
                raise InputError(
                    f"{runs[key][0]} and {word} are both results of {run.method} {run.task} {run.seed}; "
                    f"give them names, such as other={path}"
                )
            runs[key] = (word, run)
    return [run for _, run in runs.values()]


def write(comparisons: list[Comparison], metric: str | None, form: str) -> None:
    """Write to the standard output; CSV is one table, of
    methods where `other` is empty, and then of pairs."""
    if form == "terminal":
        terminal.show(terminal.comparison(comparisons, metric))
    elif form == "markdown":
        sys.stdout.write(text.markdown(comparisons, [], metric))
    else:
        table = pd.concat([tables.over_seeds(comparisons), tables.verdicts(comparisons)])
        shown = table if metric is None else table[table["metric"] == metric]
        shown.to_csv(sys.stdout, columns=frames.names(frames.BOTH), index=False, lineterminator="\n")
