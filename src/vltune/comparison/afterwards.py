"""What a method costs after its training: what it forgets, how fast it generates, and what is to be kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vltune.comparison import scores
from vltune.comparison.estimates import estimate
from vltune.comparison.per_image import level
from vltune.comparison.runs import Run
from vltune.metrics import bootstrap
from vltune.metrics.bootstrap import DIGITS, Evaluate
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.records import fields
from vltune.pipeline.tasks import read_of_task

HERE = Path()
TASKS = (1, 10)  # for how many tasks the bytes are given
SPEEDS = ("texts", "attached_per_second", "merged_per_second")


@dataclass(frozen=True)
class Afterwards:
    """Of a run: its divergence from the base on each text [texts] (nats a token), the bytes of the base's
    weights, and its speed (empty if there is no file of it)."""

    run: Run
    divergence: np.ndarray
    base_bytes: int
    speed: dict[str, Any]


def collect(runs: list[Run], root: Path = HERE) -> list[Afterwards]:
    """Read what `predict` measured of the runs, where it did, in the repository at `root`.

    Raises:
        InputError: a file is of the wrong form; names the file and the key.
    """
    measured = []
    for run in runs:
        name = (run.method, run.training, run.seed)
        path = root / paths.predictions(*name).with_suffix(".forgetting.json")
        timed = root / paths.speed(*name)
        if path.is_file():
            content = fields(path, "the whole", 0, read_json(path), ("base_bytes", "divergence"))
            read = timed.is_file()
            speed = fields(timed, run.task, 0, read_of_task(timed, run.task), SPEEDS) if read else {}
            divergence = _numbers(path, content["divergence"])
            measured.append(Afterwards(run, divergence, content["base_bytes"], speed))
    return measured


def _numbers(path: Path, values: Any) -> np.ndarray:
    try:
        numbers = np.array(values, dtype=float)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 1 or len(numbers) < 2 or not np.isfinite(numbers).all():
        raise InputError(f"{path}: divergence: expected a list of two finite numbers or more, found "
                         f"{values!r}; make it again with stages/predict.py")
    return numbers


def forgetting(measured: list[Afterwards]) -> list[dict[str, Any]]:
    """Give metrics/forgetting.csv, a row for each task and method.

    Raises:
        InputError: the seeds of a method were measured on different numbers of texts.
    """
    rows = []
    for items in _by_method(measured):
        run = items[0].run
        counts = {len(item.divergence) for item in items}
        if len(counts) > 1:
            raise InputError(f"{run.method} {run.task}: its seeds were measured on {sorted(counts)} texts; "
                             "run `dvc repro` for all of them")
        numbers = interval(np.stack([item.divergence for item in items]), run.settings)
        rows.append({"task": run.task, "method": run.method,
                     **{name: round(value, DIGITS) for name, value in numbers.items()},
                     "seeds": len(items), "texts": counts.pop()})
    return rows


def interval(divergence: np.ndarray, settings: Evaluate) -> dict[str, float]:
    """Give the mean divergence [seeds, texts] and its interval, as of a metric of quality: with one seed by
    the bootstrap over texts, with several by `estimates.estimate`, over texts and, from three on, over seeds.

    Returns: nats, low and high.
    """
    if len(divergence) > 1 and divergence.any():
        over_seeds = estimate(scores.means({"it": divergence}), level(settings))["it"]
        return {"nats": over_seeds.mean, "low": over_seeds.low, "high": over_seeds.high}
    counts = bootstrap.draws(divergence.shape[1], settings.bootstrap_samples, settings.seed)
    own = divergence.mean(0)
    low, high = bootstrap.interval(bootstrap.means(counts, own), settings.confidence)
    return {"nats": float(own.mean()), "low": low, "high": high}


def storage(measured: list[Afterwards]) -> list[dict[str, Any]]:
    """Give metrics/storage.csv: bytes to keep for n tasks, the base once and a method's files n times."""
    rows = []
    for items in _by_method(measured):
        run, base = items[0].run, items[0].base_bytes
        own = round(np.mean([item.run.result["checkpoint_bytes"] for item in items]))
        rows.append({"task": run.task, "method": run.method, "base_bytes": base, "method_bytes": own,
                     **{f"tasks_{n}_bytes": base + n * own for n in TASKS}})
    return rows


def speed(measured: list[Afterwards]) -> list[dict[str, Any]]:
    """Give metrics/speed.csv: a row for each run."""
    return [item.run.row() | item.speed for item in measured if item.speed]


def _by_method(measured: list[Afterwards]) -> Iterable[list[Afterwards]]:
    groups: dict[tuple[str, str], list[Afterwards]] = {}
    for item in measured:
        groups.setdefault((item.run.task, item.run.method), []).append(item)
    return groups.values()
