"""vltune search: find learning rates, with the same number of trials for every method."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dvc.utils.serialize import modify_yaml
from tqdm import tqdm

from vltune import layout
from vltune.commands import output
from vltune.errors import InputError
from vltune.files import write_json
from vltune.layout import DECODER, START
from vltune.methods import interface
from vltune.metrics.tuning import read_trials, summaries, summary, write_trials
from vltune.model.loading import read_shape
from vltune.params import PARAMS, choice_of, load
from vltune.report.runs import values
from vltune.sections import TASKS, Budget, Train
from vltune.training import budget as budgets
from vltune.training import search


def main(task: str, trials: int, steps: int, methods: list[str], seed: int, out: Path, write: bool) -> None:
    """Run the trials that `out` does not have yet; record each as it ends, and the best of each method beside the table.

    Args: methods, none for those of params.yaml; write, whether the best values go into params.yaml.

    Raises:
        InputError: the input is wrong, nothing is there to train on, or the table holds trials of another kind.
    """
    choice_of("unknown task", task, TASKS)
    asked = methods or values("methods")
    start = layout.checkpoint(START, task, 0) / "checkpoint.json"
    if not start.is_file():
        raise InputError(f"{start}: no such file; make data and start with `dvc repro align`, in the root of the repository")
    train = load(Train, "train").model_copy(update={"steps": steps})
    settings = {method: sized(method) for method in asked}
    kinds = {method: search.conditions(method, settings[method], task, train) for method in asked}
    rows = read_trials(out)
    check(out, rows, task, kinds, seed)
    done = {(row["method"], row["trial"]) for row in rows if row["task"] == task}
    missing = [(method, trial) for trial in range(trials) for method in asked if (method, trial) not in done]
    with output.progress(len(missing), "trial") as bar:
        for method, trial in missing:
            drawn = search.draw(method, trial, seed)
            found = search.attempt(method, settings[method].model_copy(update=drawn), task, train, seed)
            rows.append({"method": method, "task": task, "trial": trial, **drawn, "steps": steps, "seed": seed, **found,
                         "conditions": kinds[method]})
            record(out, rows)
            tqdm.write(f"{method} trial {trial}: val loss {found['val_loss']:.4f} {found['note']} at {drawn}", file=sys.stderr)
            bar.update()
    record(out, rows)
    best = {method: summary(rows, task, method) for method in asked}
    output.emit({method: one["best"] | {"val_loss": one["val_loss"]} for method, one in best.items()}, None)
    if write:
        put(best)


def put(best: dict[str, dict[str, Any]]) -> None:
    """Write the best values into params.yaml, whose comments stay; InputError if a method has none."""
    hopeless = [method for method, one in best.items() if one["note"]]
    if hopeless:
        raise InputError(f"{PARAMS} stays as it is: every trial of {hopeless[0]} has diverged; lower its ranges in its file in methods/")
    with modify_yaml(PARAMS) as content:
        for method, one in best.items():
            content[method].update(one["best"])


def sized(method: str) -> interface.Settings:
    """Read a method's section, at the size that the budget asks for."""
    budget = load(Budget, "budget") if interface.has_size(method) else None
    return budgets.solve(method, load(interface.module(method).Config, method), read_shape(DECODER / "config.json"), budget)[0]


def check(out: Path, rows: list[dict[str, Any]], task: str, kinds: dict[str, str], seed: int) -> None:
    """Raise InputError if a table's trials of these methods were made otherwise: they could not be compared with new ones."""
    for row in rows:
        if row["task"] == task and row["method"] in kinds and (row["conditions"], row["seed"]) != (kinds[row["method"]], seed):
            raise InputError(f"{out}: holds trials of {row['method']} {task} of {row['steps']} steps and seed {row['seed']}, made with "
                             "other steps, another seed, other data, another start or other parameters than now; give another "
                             "--out, or move it away")


def record(out: Path, rows: list[dict[str, Any]]) -> None:
    """Write the table, and beside it as JSON the best of each task and method with where it is from."""
    write_trials(out, rows)
    write_json(out.with_suffix(".json"), summaries(rows))
