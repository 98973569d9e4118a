"""vltune search: find learning rates, with the same number of trials for every method."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from typing import Any

from dvc.utils.serialize import modify_yaml
from tqdm import tqdm

from vltune.commands import output
from vltune.comparison.runs import compared
from vltune.comparison.trials import read_trials, summaries, summary, write_trials
from vltune.methods import interface
from vltune.methods.checkpoint import base_of
from vltune.methods.interface import Method
from vltune.model.loading import read_config
from vltune.pipeline import paths
from vltune.pipeline.errors import Diverged, InputError
from vltune.pipeline.files import fingerprint, read_json, sha256, write_json
from vltune.pipeline.params import PARAMS, TASKS, choice_of, load
from vltune.pipeline.paths import DECODER, FEATURES, START
from vltune.pipeline.randomness import numpy_generator
from vltune.training import budget as budgets
from vltune.training.budget import Budget
from vltune.training.resume import WORK
from vltune.training.train import Train, train


def draw(method: str, trial: int, seed: int) -> dict[str, float]:
    """Draw the searched values of a trial, three digits each: a low-discrepancy sequence from the middle of the ranges.

    A trial depends on its number alone, so more trials go on where fewer ended, and it lies at the same place of the range of
    every method that searches as many values. Seeds other than 0 begin elsewhere.

    Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization, section 5 (low-discrepancy sequences
    instead of random points); Roberts 2018, The Unreasonable Effectiveness of Quasirandom Sequences (the sequence R).
    """
    ranges = interface.searchable(interface.method(method))
    first = numpy_generator(seed, "first trial").random(len(ranges)) if seed else [0.5] * len(ranges)
    base = 2.0  # becomes the root of x^(d + 1) = x + 1, in d dimensions
    for _ in range(50):
        base = (1 + base) ** (1 / (len(ranges) + 1))
    shares = [(begin + trial / base ** (place + 1)) % 1 for place, begin in enumerate(first)]
    return {name: float(f"{one.at(share):.3g}") for share, (name, one) in zip(shares, ranges.items(), strict=True)}


def conditions(method: str, settings: Method, task: str, recipe: Train) -> str:
    """Hash what the trials of a method share, and what must be equal for two of them to be compared."""
    rest = settings.model_dump(exclude=set(interface.searchable(interface.method(method))))
    files = [*paths.training_texts(), paths.checkpoint(paths.START, task, 0) / "model.safetensors"]
    base = base_of(DECODER, read_json(FEATURES / "signature.json"))
    return fingerprint([method, task, rest, recipe.model_dump(), base, [sha256(path) for path in files]])


def attempt(method: str, settings: Method, task: str, recipe: Train, seed: int) -> dict[str, Any]:
    """Train once in .work, and leave nothing but the least loss on val (nats a token), the seconds, and a note.

    A training that diverges counts as a model that says every token with equal probability.
    """
    run = f"search-{method}-{task}"
    try:
        trained_run = train(method, settings, task, seed, recipe, run, lambda rows: None)  # noqa: ARG005 - no curve is kept
        trained_run.state.close()
        found = {"val_loss": trained_run.description["val_loss"], "seconds": trained_run.resources["train_seconds"], "note": ""}
    except Diverged:
        found = {"val_loss": round(math.log(read_config(DECODER / "config.json").vocabulary), 6), "seconds": 0.0, "note": "diverged"}
    shutil.rmtree(WORK / run)
    return found


def main(task: str, trials: int, steps: int, methods: list[str], seed: int, out: Path, write: bool) -> None:
    """Run the trials that `out` does not have yet; record each as it ends, and the best of each method beside the table.

    Args: methods, none for those of params.yaml; write, whether the best values go into params.yaml.

    Raises:
        InputError: the input is wrong, nothing is there to train on, or the table holds trials of another kind.
    """
    choice_of("unknown task", task, TASKS)
    asked = methods or compared()
    start = paths.checkpoint(START, task, 0) / "checkpoint.json"
    if not start.is_file():
        raise InputError(f"{start}: no such file; make data and start with `dvc repro align`, in the root of the repository")
    recipe = load(Train, "train").model_copy(update={"steps": steps})
    settings = {method: sized(method) for method in asked}
    kinds = {method: conditions(method, settings[method], task, recipe) for method in asked}
    rows = read_trials(out)
    check(out, rows, task, kinds, seed)
    done = {(row["method"], row["trial"]) for row in rows if row["task"] == task}
    missing = [(method, trial) for trial in range(trials) for method in asked if (method, trial) not in done]
    with output.progress(len(missing), "trial") as bar:
        for method, trial in missing:
            drawn = draw(method, trial, seed)
            found = attempt(method, settings[method].model_copy(update=drawn), task, recipe, seed)
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


def sized(method: str) -> Method:
    """Read a method's section, at the size that the budget asks for."""
    cls = interface.method(method)
    budget = load(Budget, "budget") if cls.SIZE else None
    return budgets.solve(load(cls, method), read_config(DECODER / "config.json"), budget)[0]


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
