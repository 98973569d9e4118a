"""The one method that params.yaml selects: what `dvc metrics diff` compares between two experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vltune.comparison.runs import TIMINGS, Run, load, mean
from vltune.metrics.signature import check_same
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json

SUMMARY, COST = Path("metrics/summary.json"), Path("metrics/cost.json")


def summarize(method: str, tasks: list[str], seeds: list[int]) -> None:
    """Write metrics/summary.json and, apart, what does not repeat from run to run: metrics/cost.json.

    Raises:
        InputError: a run of the method is missing, or two of its seeds were scored differently.
    """
    runs = {task: [load(method, task, seed) for seed in seeds] for task in tasks}
    for task, seeds_of_task in runs.items():
        check_same({f"{method} {task} {run.seed}": run.result["signature"] for run in seeds_of_task})
        for run in seeds_of_task:
            if not run.resources:
                raise InputError(
                    f"{paths.resources(method, task, run.seed)}: no such file; make it with stages/train.py"
                )
    write_json(
        SUMMARY,
        {
            "method": method,
            **{
                task: {
                    name: mean([run.scores[name]["value"] for run in seeds_of_task])
                    for name in seeds_of_task[0].scores
                }
                for task, seeds_of_task in runs.items()
            },
            **{
                name: _mean_result(runs, name)
                for name in ("trained_parameters", "trained_share", "projector_parameters")
            },
        },
    )
    write_json(
        COST,
        {
            "method": method,
            **{
                task: {name: mean([run.resources[name] for run in seeds_of_task]) for name in TIMINGS}
                for task, seeds_of_task in runs.items()
            },
        },
    )


def _mean_result(runs: dict[str, list[Run]], name: str) -> Any:
    return mean([run.result[name] for seeds_of_task in runs.values() for run in seeds_of_task])
