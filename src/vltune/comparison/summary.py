"""The one method that params.yaml selects: what `dvc metrics diff` compares between two experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vltune.comparison.runs import TIMINGS, Run, load, mean
from vltune.metrics.signature import check_same
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.params import PARAMS
from vltune.pipeline.tasks import by_task

SUMMARY, COST = Path("metrics/summary.json"), Path("metrics/cost.json")
SIZES = ("trained_parameters", "trained_share")


def summarize(method: str, tasks: list[str], seeds: list[int]) -> None:
    """Write metrics/summary.json and, apart, what does not repeat from run to run: metrics/cost.json.

    Raises:
        InputError: a run of the method is missing, or two of its seeds were scored differently.
    """
    trainings = by_task(tasks, f"{PARAMS}: 'tasks'")
    runs = {task: [load(method, task, seed, training) for seed in seeds]
            for task, training in trainings.items()}
    for task, seeds_of_task in runs.items():
        check_same({f"{method} {task} {run.seed}": run.result["signature"] for run in seeds_of_task})
        for run in seeds_of_task:
            if not run.resources:
                file = paths.resources(method, run.training, run.seed)
                raise InputError(f"{file}: no such file; make it with stages/train.py")
    scores = {task: _mean_scores(seeds_of_task) for task, seeds_of_task in runs.items()}
    sizes = {name: _mean_result(runs, name) for name in SIZES}
    write_json(SUMMARY, {"method": method, **scores, **sizes})
    costs = {trainings[task]: _mean_costs(seeds_of_task) for task, seeds_of_task in runs.items()}
    write_json(COST, costs)


def _mean_scores(runs: list[Run]) -> dict[str, float]:
    return {name: mean([run.scores[name]["value"] for run in runs]) for name in runs[0].scores}


def _mean_costs(runs: list[Run]) -> dict[str, float]:
    return {name: mean([run.resources[name] for run in runs]) for name in TIMINGS}


def _mean_result(runs: dict[str, list[Run]], name: str) -> Any:
    return mean([run.result[name] for seeds_of_task in runs.values() for run in seeds_of_task])
