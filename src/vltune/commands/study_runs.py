"""The finished runs of a study, a file each: scores with what made them, small enough for git.

results/runs/STUDY/VARIANT-METHOD-TASK-SEED.json is the run's results file, with its numbers per image
rounded, and beside them the curve of validation, seconds and memory, parameters, commit and processor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vltune.commands.study_plan import Planned, Settings, Study, differences
from vltune.comparison import frames
from vltune.comparison.runs import Run, load, read_results
from vltune.pipeline import paths
from vltune.pipeline.files import read_json, write_text
from vltune.pipeline.records import fields
from vltune.pipeline.tasks import read_of_task

DIGITS = 4  # of scores per image: their mean keeps more than tables show
KEYS = ("study", "variant", "overrides", "settings", "commit", "training", "curve", "resources",
        "environment", "data")
DATA = ("dataset", "source", "licence")  # of data/raw/SOURCE.json


@dataclass(frozen=True)
class Finished:
    """A run's file: the run, and what made it."""

    planned: Planned
    run: Run
    content: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """The parameters with which it was made."""
        return self.content["settings"]

    @property
    def seconds(self) -> float:
        """Seconds of training, prediction and scoring together."""
        return self.content["resources"]["seconds"]

    @property
    def train_seconds(self) -> float:
        """Seconds of training."""
        return self.content["resources"].get("train_seconds", 0.0)

    @property
    def trained(self) -> bool:
        """Whether it is a trained method, not the start."""
        return "train_seconds" in self.content["resources"]

    @property
    def peak_gigabytes(self) -> float:
        """Most memory in use in the training (10^9 bytes)."""
        return self.content["resources"]["peak_memory_bytes"] / 1e9


@dataclass(frozen=True)
class Runs:
    """The files of a study: those that count, by plan; for each stale one what differs; and others."""

    finished: dict[Planned, Finished]
    stale: dict[Planned, list[str]]
    unplanned: list[str]


def path_of(study: Study, run: Planned) -> Path:
    """Give the file of a run."""
    return study.folder / f"{run.name}.json"


def read_runs(study: Study) -> Runs:
    """Read all files of a study's runs.

    Raises:
        InputError: one is of the wrong form.
    """
    finished, stale, planned = {}, {}, study.runs()
    for run in planned:
        path = path_of(study, run)
        if path.is_file():
            stored = read_run(path, run)
            changed = differences(stored.settings, study.settings(run), study.overrides(run.variant))
            if changed:
                stale[run] = changed
            else:
                finished[run] = stored
    names = {run.name for run in planned}
    others = sorted(path.stem for path in study.folder.glob("*.json") if path.stem not in names)
    return Runs(finished, stale, others)


def read_run(path: Path, planned: Planned) -> Finished:
    """Read a run's file; raises InputError if it is of the wrong form."""
    content = read_json(path)
    [run] = read_results(path)
    made = fields(path, "the whole", 0, content, KEYS)
    fields(path, "resources", 0, made["resources"], ("seconds",))
    return Finished(planned, replace(run, resources=made["resources"]), made)


def write_run(study: Study, run: Planned, root: Path, commit: str, seconds: float) -> None:
    """Write the file of a run from what the pipeline left in the repository at `root`.

    Args: commit, of the code that made it; seconds, of training, prediction and scoring together.
    Raises:
        InputError: a file of the pipeline is missing or of the wrong form.
    """
    key = (run.method, run.training, run.seed)
    loaded = load(run.method, run.task, run.seed, run.training, root)
    result = read_of_task(root / paths.result(*key), run.task)
    checkpoint = read_json(root / paths.checkpoint(*key) / "checkpoint.json")
    cost = read_json(root / paths.resources(*key)) if loaded.resources else {}
    environment = cost.pop("environment", {})
    source = read_json(root / paths.RAW / "SOURCE.json")
    per_image, signature = result.pop("per_image"), result.pop("signature")
    whole_seconds = max(seconds, cost.get("train_seconds", 0.0))  # a resumed training began earlier
    write_text(path_of(study, run), _lines({
        "study": study.name, "variant": run.variant, **result,
        "training": {"steps": len(loaded.curve), "kept_step": checkpoint.get("step"),
                     "val_loss": checkpoint.get("val_loss"), "precision": checkpoint.get("precision"),
                     "settings": checkpoint.get("settings")},
        "curve": _validations(loaded), "resources": cost | {"seconds": round(whole_seconds, 1)},
        "environment": environment, "commit": commit, "overrides": study.overrides(run.variant),
        "settings": study.settings(run), "data": {name: source.get(name) for name in DATA},
        "signature": signature, "per_image": rounded(per_image),
    }))


def _validations(run: Run) -> dict[str, list[float]]:
    """Give a curve at its validations: the step, the mean training loss since the last one, and the loss on
    the validation split (nats per token)."""
    rows, losses = [], []
    for row in frames.records(run.curve):
        losses.append(row["loss"])
        if row["val_loss"] is not None:
            rows.append((row["step"], round(sum(losses) / len(losses), 6), row["val_loss"]))
            losses = []
    return {name: [row[column] for row in rows] for column, name in enumerate(("step", "loss", "val_loss"))}


def rounded(value: Any) -> Any:
    """Round every real number in lists and dictionaries to DIGITS; whole ones become integers, so that they
    take less room."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        short = round(value, DIGITS)
        return int(short) if short.is_integer() else short
    return value


def _lines(content: dict[str, Any]) -> str:
    """Write JSON with a line for each key, so that git's differences can be read."""
    lines = (f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'), ensure_ascii=False)}"
             for key, value in content.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def delete(study: Study, runs: Iterable[Planned]) -> None:
    """Delete the files of runs."""
    for run in runs:
        path_of(study, run).unlink()
