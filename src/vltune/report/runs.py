"""The runs that are compared: what params.yaml asks for, and what evaluation and training left of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vltune import layout
from vltune.errors import InputError
from vltune.files import read_json
from vltune.params import PARAMS, read
from vltune.records import fields

METRICS = ("CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L")
DIVERSITY = ("distinct-1", "distinct-2", "vocabulary", "unique_share", "novel_share", "mean_length")
SIZES = ("trained_parameters", "trained_share", "connector_parameters", "checkpoint_bytes")
TIMINGS = ("train_seconds", "captions_per_second", "peak_memory_bytes", "step_seconds")
START_SEED = 0  # the start is made once a task, in closed form


@dataclass(frozen=True)
class Run:
    """One run's name, its results file, and where it was trained what that took and its curve (empty if it was not)."""

    method: str
    task: str
    seed: int
    result: dict[str, Any]
    resources: dict[str, Any]
    curve: list[dict[str, float | None]]

    def row(self) -> dict[str, Any]:
        """Give the columns that name the run in every table."""
        return {"task": self.task, "method": self.method, "seed": self.seed}


def values(name: str, kind: type[str] | type[int] = str, path: Path = PARAMS) -> list[Any]:
    """Read a list at the top level of params.yaml, such as `methods`.

    Raises:
        InputError: it is missing, empty, no list, holds something of another type, or something twice.
    """
    found = read(path).get(name)
    if not isinstance(found, list) or not found or not all(type(one) is kind for one in found):
        wanted = "whole numbers" if kind is int else "names"
        raise InputError(f"{path}: '{name}' must be a list of at least one, all {wanted}; found {found!r}")
    if len(set(found)) < len(found):
        raise InputError(f"{path}: '{name}' holds something twice: {found!r}")
    return found


def wanted(methods: list[str], tasks: list[str], seeds: list[int]) -> list[tuple[str, str, int]]:
    """List the runs that there should be, as (method, task, seed), in the order of every table: the start comes last."""
    return [(method, task, seed) for task in tasks
            for method, seed in [*((method, seed) for method in methods for seed in seeds), (layout.START, START_SEED)]]


def collect(methods: list[str], tasks: list[str], seeds: list[int]) -> tuple[list[Run], list[str]]:
    """Read all runs that are there; name the results files that are not.

    Raises:
        InputError: no run is there, or a file is of the wrong form.
    """
    names = wanted(methods, tasks, seeds)
    missing = [str(layout.result(*name)) for name in names if not layout.result(*name).is_file()]
    if len(missing) == len(names):
        raise InputError(f"there is nothing to report: none of {', '.join(missing)} exists; make them with stages/evaluate.py")
    return [load(*name) for name in names if layout.result(*name).is_file()], missing


def load(method: str, task: str, seed: int) -> Run:
    """Read one run.

    Raises:
        InputError: its results are missing, or a file is of the wrong form; names the file and the key.
    """
    path = layout.result(method, task, seed)
    if not path.is_file():
        found = ", ".join(sorted(str(one) for one in path.parent.parent.glob("*/*.json"))) or "none"
        raise InputError(f"{path}: no such file; results there are: {found}; make it with stages/evaluate.py")
    result = fields(path, "the whole", 0, read_json(path), ("method", "task", "seed", "metrics", "diversity", *SIZES, "signature"))
    if (result["method"], result["task"], result["seed"]) != (method, task, seed):
        raise InputError(f"{path}: expected the results of {method} {task} {seed}, "
                         f"found those of {result['method']} {result['task']} {result['seed']}")
    fields(path, "diversity", 0, result["diversity"], DIVERSITY)
    for name, metric in fields(path, "metrics", 0, result["metrics"], METRICS).items():
        fields(path, f"metrics.{name}", 0, metric, ("value", "low", "high"))
    return Run(method, task, seed, result, _resources(layout.resources(method, task, seed)), _curve(layout.curve(method, task, seed)))


def _resources(path: Path) -> dict[str, Any]:
    return fields(path, "the whole", 0, read_json(path), TIMINGS) if path.is_file() else {}


def _curve(path: Path) -> list[dict[str, float | None]]:
    if not path.is_file():
        return []
    names = ("step", "loss", "val_loss")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [fields(path, "row ", i, row, names) for i, row in enumerate(csv.DictReader(file, delimiter="\t"))]
    try:
        return [{"step": int(row["step"]), "loss": _number(row["loss"]), "val_loss": _number(row["val_loss"])} for row in rows]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: expected numbers in the columns {', '.join(names)}: {error}") from None


def _number(text: str) -> float | None:
    return float(text) if text.strip() else None
