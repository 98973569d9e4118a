"""vltune compare: methods with intervals, and verdicts on their pairs, as the report has them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from vltune.errors import InputError
from vltune.params import nearest
from vltune.report import tables, text
from vltune.report.comparing import Comparison, compare
from vltune.report.runs import Run, collect, read_result, values

FORMS = ("terminal", "markdown", "csv")
COLUMNS = ["task", "metric", "method", "other", "mean", "sd", "difference", "low", "high", "p", "p_holm", "verdict", "seeds", "images"]


def main(results: list[str], task: str | None, metric: str | None, form: str, root: Path) -> None:
    """Print the comparison of the given results, or of those that params.yaml asks for.

    Raises:
        InputError: a file or a choice is wrong, results cannot be compared, or (after printing) one that params.yaml asks for is missing.
    """
    one_of("format", form, FORMS)
    if results:
        runs, missing = given(results), []
    else:
        asked = [values("methods", path=root / "params.yaml"), values("tasks", path=root / "params.yaml")]
        if task is not None:
            asked[1] = [one_of("task", task, asked[1])]
        runs, missing = collect(*asked, values("seeds", int, root / "params.yaml"), root)
    tasks = dict.fromkeys(run.task for run in runs)
    if task is not None:
        one_of("task", task, tasks)
    found = compare([run for run in runs if task in (None, run.task)])
    if metric is not None:
        one_of("metric", metric, dict.fromkeys(name for comparison in found for name in comparison.first.scores))
        found = [comparison for comparison in found if metric in comparison.first.scores]
    write(found, metric, form)
    if missing:
        raise InputError(f"{len(missing)} results are missing and left out: {', '.join(missing)}; make them with `dvc repro`")


def given(results: list[str]) -> list[Run]:
    """Read results files, each as RESULTS.json or NAME=RESULTS.json.

    Raises:
        InputError: a file is missing or of the wrong form, or two are about the same method, task and seed.
    """
    runs: dict[tuple[str, str, int], tuple[str, Run]] = {}
    for word in results:
        name, _, path = word.rpartition("=") if not Path(word).is_file() else ("", "", word)
        run = read_result(Path(path))
        run = replace(run, method=name or run.method)
        key = (run.method, run.task, run.seed)
        if key in runs:
            raise InputError(f"{runs[key][0]} and {word} are both results of {run.method} {run.task} {run.seed}; "
                             f"give them names, such as other={path}")
        runs[key] = (word, run)
    return [run for _, run in runs.values()]


def write(comparisons: list[Comparison], metric: str | None, form: str) -> None:
    """Write to the standard output; CSV is one table, of methods where `other` is empty, and then of pairs."""
    if form == "terminal":
        sys.stdout.write(text.terminal(comparisons, metric))
    elif form == "markdown":
        sys.stdout.write(text.markdown(comparisons, [], metric))
    else:
        rows = [*tables.over_seeds(comparisons), *tables.verdicts(comparisons)]
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(row for row in rows if metric in (None, row["metric"]))


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """Check a choice.

    Raises:
        InputError: it is none; names the nearest.
    """
    if value not in allowed:
        raise InputError(f"unknown {name} {value!r}{nearest(value, allowed)}; choose one of {', '.join(allowed)}")
    return value
