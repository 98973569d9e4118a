"""vltune search: search for learning rates, with the same number of trials for every method."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from typing import Any

from dvc.utils.serialize import modify_yaml
from tqdm import tqdm

from vltune.commands import output
from vltune.comparison.choice import compared, values
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
from vltune.pipeline.tasks import TRAININGS
from vltune.pipeline.work import WORK
from vltune.training import budget as budgets
from vltune.training.budget import Budget
from vltune.training.train import Train, train


def draw(method: str, trial: int, seed: int) -> dict[str, float]:
    """Draw the searched values of a trial from a low-discrepancy sequence, rounded to three digits.

    The sequence starts at a random point, so that no value is tried because it is known to work. A trial
    depends on its number and the seed alone: a longer search continues a shorter one, and methods with the
    same number of searched values are tried at the same relative points of their ranges.

    Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization, section 5
        (low-discrepancy sequences instead of random points); Roberts 2018, The Unreasonable Effectiveness of
        Quasirandom Sequences (the sequence R).
    """
    ranges = interface.searchable(interface.method(method))
    first = numpy_generator(seed, "first trial").random(len(ranges))
    base = 2.0  # becomes the root of x^(d + 1) = x + 1, in d dimensions
    for _ in range(50):
        base = (1 + base) ** (1 / (len(ranges) + 1))
    shares = [(begin + trial / base ** (dimension + 1)) % 1 for dimension, begin in enumerate(first)]
    return {name: float(f"{values.at(share):.3g}")
            for share, (name, values) in zip(shares, ranges.items(), strict=True)}


def conditions(method: str, settings: Method, task: str, recipe: Train) -> str:
    """Hash everything that must be equal for two trials of a method to be comparable."""
    rest = settings.model_dump(exclude=set(interface.searchable(interface.method(method))))
    start = read_json(paths.checkpoint(paths.START, task, 0) / "checkpoint.json")
    rest |= {"template": start["template"]} if start.get("template") else {}
    files = [*paths.training_texts(), paths.checkpoint(paths.START, task, 0) / "model.safetensors"]
    base = base_of(DECODER, read_json(FEATURES / "signature.json"))
    return fingerprint([method, task, rest, recipe.conditions(), base, [sha256(path) for path in files]])


def _no_curve(rows: list[dict[str, Any]]) -> None:  # noqa: ARG001 - a trial writes no curve
    return


def attempt(method: str, settings: Method, task: str, recipe: Train, seed: int) -> dict[str, Any]:
    """Train once in .work, and return the lowest validation loss (nats per token), the seconds, and a note.

    No file is left. A training that diverges counts as a model that predicts a uniform distribution.
    """
    run = f"search-{method}-{task}"
    try:
        trained_run = train(method, settings, task, seed, recipe, run, _no_curve)
        trained_run.state.close()
        result = {"val_loss": trained_run.description["val_loss"],
                  "seconds": trained_run.resources["train_seconds"], "note": ""}
    except Diverged:
        uniform = math.log(read_config(DECODER / "config.json").vocabulary)
        result = {"val_loss": round(uniform, 6), "seconds": 0.0, "note": "diverged"}
    shutil.rmtree(WORK / run)
    return result


def main(task: str, trials: int, steps: int, methods: list[str], seed: int, out: Path, write: bool) -> None:
    """Run the trials that are missing in `out`; record each as it ends, and the best of each method as JSON.

    Args: methods, empty for those of params.yaml; write, whether the best values go into params.yaml.

    Raises:
        InputError: the input is wrong, the seed is that of a run that is reported, the data or the aligned
            start is missing, or the table holds trials that were made under other conditions.
    """
    choice_of("unknown task", task, TRAININGS)
    methods = methods or compared()
    ready(task, seed)
    recipe = load(Train, "train").model_copy(update={"steps": steps})
    settings = {method: sized(method, task) for method in methods}
    hashes = {method: conditions(method, settings[method], task, recipe) for method in methods}
    rows = read_trials(out)
    check(out, rows, task, hashes, seed)
    done = {(row["method"], row["trial"]) for row in rows if row["task"] == task}
    runs = [(method, trial) for trial in range(trials) for method in methods]
    missing = [run for run in runs if run not in done]
    with output.progress(len(missing), "trial") as bar:
        for method, trial in missing:
            drawn = draw(method, trial, seed)
            result = attempt(method, settings[method].model_copy(update=drawn), task, recipe, seed)
            rows.append({"method": method, "task": task, "trial": trial, **drawn, "steps": steps,
                         "seed": seed, **result, "conditions": hashes[method]})
            record(out, rows)
            loss = f"validation loss {result['val_loss']:.4f} {result['note']}"
            tqdm.write(f"{method} trial {trial}: {loss} at {drawn}", file=sys.stderr)
            bar.update()
    record(out, rows)
    best = {method: summary(rows, task, method) for method in methods}
    report = {method: trial["best"] | {"val_loss": trial["val_loss"]} for method, trial in best.items()}
    output.emit(report, None)
    if write:
        write_best(best, task)


def ready(task: str, seed: int) -> None:
    """Raise InputError if the aligned start is missing, or if the seed is that of a run that is reported."""
    if seed in values("seeds", int):
        raise InputError(f"--seed {seed} is in 'seeds' of params.yaml: a reported run must not be the "
                         "winning trial of the search; give another seed")
    start = paths.checkpoint(START, task, 0) / "checkpoint.json"
    if not start.is_file():
        raise InputError(
            f"{start}: no such file; make it with `dvc repro align` in the root of the repository")


def write_best(best: dict[str, dict[str, Any]], task: str) -> None:
    """Write the best values as those of a task into params.yaml, keeping its comments and the values of other
    tasks; InputError if a method has none."""
    diverged = [method for method, trial in best.items() if trial["note"]]
    if diverged:
        raise InputError(f"{PARAMS} is not changed: every trial of {diverged[0]} has diverged; lower its "
                         "ranges in its file in methods/")
    with modify_yaml(PARAMS) as content:
        for method, trial in best.items():
            for name, value in trial["best"].items():
                known = content[method][name]
                if isinstance(known, dict):
                    known[task] = value
                else:
                    content[method][name] = dict.fromkeys(TASKS, known) | {task: value}


def sized(method: str, task: str) -> Method:
    """Read a method's section for a task, at the size that meets the parameter budget."""
    cls = interface.method(method)
    budget = load(Budget, "budget") if cls.SIZE else None
    return budgets.solve(load(cls, method).of_task(task), read_config(DECODER / "config.json"), budget)[0]


def check(out: Path, rows: list[dict[str, Any]], task: str, hashes: dict[str, str], seed: int) -> None:
    """Raise InputError if a table's trials of these methods were made under other conditions."""
    for row in rows:
        method = row["method"]
        if row["task"] != task or method not in hashes:
            continue
        if (row["conditions"], row["seed"]) != (hashes[method], seed):
            raise InputError(
                f"{out}: holds trials of {method} {task} of {row['steps']} steps and seed {row['seed']}, "
                "made with other steps, another seed, other data, another start or other parameters than "
                "now; give another --out, or move it away")


def record(out: Path, rows: list[dict[str, Any]]) -> None:
    """Write the table, and beside it as JSON the best trial of each task and method with its provenance."""
    write_trials(out, rows)
    write_json(out.with_suffix(".json"), summaries(rows))
