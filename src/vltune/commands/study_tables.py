"""The tables of a study, NAME.md and NAME.csv beside its file, from the files of its runs alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean
from typing import Any

import pandas as pd

from vltune.commands.study_plan import Study
from vltune.commands.study_runs import Finished, Runs
from vltune.commands.study_text import markdown, mean, of_method, planned
from vltune.comparison import frames
from vltune.comparison.claims import Claims
from vltune.comparison.compare import Comparison, compare
from vltune.comparison.runs import Run
from vltune.metrics.signature import check_same
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_table, write_text
from vltune.report import tables

COSTS = [
    frames.Column("planned", frames.WHOLE, "", "seeds that the study asks for"),
    frames.Column("blind", frames.REAL, "of the metric", "mean with another image's features"),
    *frames.SIZES[:3], frames.RESOURCES[3], frames.RESOURCES[5],
    frames.Column("seconds", frames.REAL, "s", "training, prediction and scoring of a run, mean"),
    frames.Column("val_loss", frames.REAL, "nats per token", "of the kept step, mean"),
]
CSV = [frames.Column("variant", frames.TEXT, "", "of the study"), *frames.BOTH[:3],
       frames.Column("other_variant", frames.TEXT, "", "of the second method; empty where there is none"),
       *frames.BOTH[3:], *COSTS]


def write(study: Study, runs: Runs, claims: Claims) -> None:
    """Write both tables; nothing where no run is finished.

    Raises:
        InputError: two runs of a variant and a task were scored differently or on other images.
    """
    if not runs.finished:
        return
    compared = {variant: compare([item.run for item in finished], claims)
                for variant, finished in by_variant(study, runs).items()}
    across = dict(over_variants(study, runs, claims))
    write_text(study.file.with_suffix(".md"), markdown(study, runs, compared, across))
    write_table(study.file.with_suffix(".csv"), _csv(study, runs, compared, across))


def by_variant(study: Study, runs: Runs) -> dict[str, list[Finished]]:
    """Group the finished runs by variant, in the order of tables: task, method, seed."""
    content = study.content
    order = {method: i for i, method in enumerate(_methods(study))}
    grouped = {variant: [item for run, item in runs.finished.items() if run.variant == variant]
               for variant in content.variants}
    return {variant: sorted(items, key=lambda item: (item.run.task, order[item.run.method], item.run.seed))
            for variant, items in grouped.items() if items}


def over_variants(study: Study, runs: Runs, claims: Claims) -> Iterator[tuple[tuple[str, str], Comparison]]:
    """Compare the variants of each method and task that has several, on the same test data: in each
    comparison a variant takes the part of a method."""
    for task in ("caption", "vqa"):
        for method in _methods(study):
            renamed = [replace(item.run, method=variant)
                       for variant, items in by_variant(study, runs).items() for item in items
                       if (item.run.method, item.run.task) == (method, task)]
            if len({run.method for run in renamed}) > 1 and method != paths.START and _comparable(renamed):
                [comparison] = compare(renamed, claims)
                yield (method, task), comparison


def _methods(study: Study) -> list[str]:
    """List the methods in the order of the file; the start, which is no method, comes last."""
    names = dict.fromkeys(name for variant in study.content.variants.values()
                          for name in variant.methods or study.content.methods)
    return sorted(names, key=lambda name: name == paths.START)


def _comparable(runs: list[Run]) -> bool:
    try:
        check_same({run.method: run.result["signature"] for run in runs})
    except InputError:  # variants with other data
        return False
    return True


def _csv(study: Study, runs: Runs, compared: dict[str, list[Comparison]],
         across: dict[tuple[str, str], Comparison]) -> pd.DataFrame:
    """Give a row for each metric and method, each pair of methods, and each pair of variants."""
    rows: list[dict[str, Any]] = []
    for variant, comparisons in compared.items():
        for row in frames.records(tables.over_seeds(comparisons)):
            rows.append({"variant": variant, **row, **_cost(study, runs, variant, row)})
        rows += [{"variant": variant, "other_variant": variant, **row}
                 for row in frames.records(tables.verdicts(comparisons))]
    for (method, _), comparison in across.items():
        rows += [row | {"variant": row["method"], "other_variant": row["other"], "method": method,
                        "other": method} for row in frames.records(tables.verdicts([comparison]))]
    return frames.frame(CSV, [{name: row.get(name) for name in frames.names(CSV)} for row in rows])


def _cost(study: Study, runs: Runs, variant: str, row: dict[str, Any]) -> dict[str, Any]:
    items = of_method(runs, variant, row["method"], row["task"])
    spec = items[0].run.spec
    cost: dict[str, Any] = {
        "planned": planned(study, items[0].planned),
        "seconds": round(fmean(item.seconds for item in items), 1),
        **{column.name: items[0].run.result[column.name] for column in frames.SIZES[:3]},
    }
    if row["metric"] in spec.controlled:
        blind = [item.run.control(spec.blind[0]).get(row["metric"]) for item in items]
        cost["blind"] = round(fmean(score["value"] for score in blind), 6) if all(blind) else None
    trained = [item for item in items if item.trained]
    if trained:
        cost |= {"val_loss": round(mean(trained, "val_loss"), 6),
                 "train_seconds": round(fmean(item.train_seconds for item in trained), 2),
                 "peak_memory_bytes": max(item.run.resources["peak_memory_bytes"] for item in trained)}
    return cost
