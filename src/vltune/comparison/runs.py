"""The runs that are compared: what params.yaml asks for, and what evaluation and training left of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from vltune.comparison import frames
from vltune.comparison.choice import wanted
from vltune.comparison.tasks import FURTHER, TASKS, Control, Task
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.interface import image_metrics
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import check, nearest
from vltune.pipeline.records import fields
from vltune.pipeline.tasks import is_joint

SIZES = tuple(frames.names(frames.SIZES))
TIMINGS = tuple(frames.names(frames.RESOURCES[len(frames.RUN):]))
RENAMED = {"connector_parameters": "projector_parameters", "zero_shot": paths.START}  # in results files
HERE = Path()
ENDS = ("low", "high")


@dataclass(frozen=True)
class Scored:
    """What was scored, one run or all runs of a method, and what results files say of it."""

    method: str
    task: str
    result: dict[str, Any]

    @property
    def training(self) -> str:
        """The tasks that it was trained on together: the name of the training's files."""
        return self.result.get("trained_on") or self.task

    @property
    def spec(self) -> Task:
        """What the report shows of the task."""
        return TASKS[self.task]

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Those metrics of the task that are there, in the
        order of tables, each a value with low and high end."""
        return {
            name: self.result["metrics"][name] for name in self.spec.metrics if name in self.result["metrics"]
        }

    @property
    def main(self) -> dict[str, float]:
        """The task's main metric."""
        return self.scores[self.spec.main]

    @property
    def not_computed(self) -> dict[str, str]:
        """Metrics of images that were asked for, but could not be computed: "not computed" by their names."""
        asked = "not_computed" in self.result["signature"].get("clipscore", {})
        names = [name for metric in image_metrics() for name in metric.listed] if asked else []
        return dict.fromkeys(names, "not computed")

    def control(self, control: Control) -> dict[str, dict[str, float]]:
        """Give the metrics that a control reaches."""
        return self.result["controls"][control.name]

    @property
    def blind(self) -> dict[str, float]:
        """The main metric of what is scored when it is blind."""
        return self.control(self.spec.blind[0])[self.spec.main]

    @property
    def settings(self) -> Evaluate:
        """The section `evaluate` that the scores were made with."""
        return Evaluate.model_validate(self.result["signature"]["evaluate"])


@dataclass(frozen=True)
class Run(Scored):
    """One run, and where it was trained what that took and its curve (empty if it was not)."""

    seed: int
    resources: dict[str, Any]
    curve: pd.DataFrame

    def row(self) -> dict[str, Any]:
        """Give the columns that name the run in every table."""
        return {"task": self.task, "method": self.method, "seed": self.seed}


def collect(
    methods: list[str], tasks: list[str], seeds: list[int], root: Path = HERE
) -> tuple[list[Run], list[str]]:
    """Read all runs that are there, in the repository at `root`; name the results files that are not.

    Raises:
        InputError: no run is there, or a file is of the wrong form.
    """
    runs = wanted(methods, tasks, seeds)
    there = [run for run in runs if (root / run.result).is_file()]
    missing = list(dict.fromkeys(str(root / run.result) for run in runs if run not in there))
    if not there:
        raise InputError(
            f"there is nothing to report: none of {', '.join(missing)} exists; make them with "
            f"stages/evaluate.py"
        )
    return [load(*run, root) for run in there], missing


def load(method: str, task: str, seed: int, training: str | None = None, root: Path = HERE) -> Run:
    """Read one run: its results in a task, what its training took, and its curve. The training is that of the
    task alone, if no other is named.

    Raises:
        InputError: its results are missing, or a file is of the wrong form; names the file and the key.
    """
    training = training or task
    path = root / paths.result(method, training, seed)
    if not path.is_file():
        existing = ", ".join(sorted(str(path) for path in path.parent.parent.glob("*/*.json"))) or "none"
        raise InputError(
            f"{path}: no such file; results there are: {existing}; make it with stages/evaluate.py"
        )
    runs = read_results(path)
    run = next((run for run in runs if run.task == task), runs[0])
    if (run.method, run.task, run.seed, run.training) != (method, task, seed, training):
        raise InputError(
            f"{path}: expected the results of {method} {task} {seed}, found those of {run.method} "
            f"{run.task} {run.seed}"
        )
    return replace(run, resources=_resources(root / paths.resources(method, training, seed)),
                   curve=_curve(root / paths.curve(method, training, seed)))


def read_results(path: Path) -> list[Run]:
    """Read a results file, wherever it is, and nothing of its training: a run, or two of a joint training.

    Raises:
        InputError: it is missing or of the wrong form; names the file and the key.
    """
    content = read_json(path)
    return [_read(path, each) for each in (content.values() if is_joint(content) else [content])]


def _read(path: Path, content: Any) -> Run:
    _check_names(path, content)
    named = fields(path, "the whole", 0, content, ("method", "task", "seed"))
    if named["task"] not in TASKS:
        raise InputError(
            f"{path}: unknown task {named['task']!r}{nearest(named['task'], TASKS)}; expected one of "
            f"{', '.join(TASKS)}"
        )
    spec = TASKS[named["task"]]
    result = fields(
        path, "the whole", 0, content, ("metrics", *spec.parts, "controls", *SIZES, "per_image", "signature")
    )
    _check(path, spec, result)
    # earlier versions and imported runs have no projector, separate trainings no trained_on
    result |= {name: content.get(name) for name in ("projector", "trained_on")}
    return Run(named["method"], named["task"], result, named["seed"], {}, frames.frame(frames.CURVE, []))


def _check_names(path: Path, content: Any) -> None:
    """Raise InputError for a results file of an earlier version, whose names differ."""
    old = [
        name for name in RENAMED if isinstance(content, dict) and name in (*content, content.get("method"))
    ]
    if old:
        raise InputError(
            f"{path}: written by an earlier version, in which '{RENAMED[old[0]]}' was called '{old[0]}'; "
            "make it again with `dvc repro`"
        )


def mean(values: list[Any]) -> Any:
    """Give the mean over seeds of numbers, or of each number in dictionaries; equal values stay as they are.

    The ends of intervals are left out where seeds differ:
    the interval of a mean is not the mean of intervals.
    """
    first = values[0]
    if all(value == first for value in values):
        return first
    if isinstance(first, dict):
        return {name: mean([value[name] for value in values]) for name in first if name not in ENDS}
    return fmean(values)


def _check(path: Path, spec: Task, result: dict[str, Any]) -> None:
    """Check that every score is there which the tables show,
    of the run and of its controls, and what verdicts need."""
    further = tuple(metric.key for metric in FURTHER if metric.values[0] in result["metrics"])
    fields(path, "per_image", 0, result["per_image"], (*spec.per_image, *further))
    check(
        Evaluate, "evaluate",
        fields(path, "signature", 0, result["signature"], ("images", "evaluate"))["evaluate"], path,
    )
    fields(
        path, "metrics", 0, result["metrics"],
        tuple(name for name in spec.metrics if name not in spec.optional),
    )
    metrics = tuple(name for name in spec.metrics if name in result["metrics"])
    controlled = tuple(name for name in metrics if name in spec.controlled)
    names = tuple(control.name for control in spec.controls)
    _scores(path, "metrics", result["metrics"], metrics)
    for name, scores in fields(path, "controls", 0, result["controls"], names).items():
        _scores(path, f"controls.{name}", scores, controlled)
    if "diversity" in spec.parts:
        fields(path, "diversity", 0, result["diversity"], spec.diversity)
    if "question_types" in spec.parts:
        types = tuple(result["question_types"])
        _scores(path, "question_types", result["question_types"], types)
        for name, scores in fields(
            path, "control_question_types", 0, result["control_question_types"], names
        ).items():
            _scores(path, f"control_question_types.{name}", scores, types)


def _scores(path: Path, where: str, scores: Any, names: tuple[str, ...]) -> None:
    for name, score in fields(path, where, 0, scores, names).items():
        fields(path, f"{where}.{name}", 0, score, ("value", "low", "high"))


def _resources(path: Path) -> dict[str, Any]:
    return fields(path, "the whole", 0, read_json(path), TIMINGS) if path.is_file() else {}


def _curve(path: Path) -> pd.DataFrame:
    columns = frames.CURVE
    return (
        frames.read(path, columns, "\t")[frames.names(columns)]
        if path.is_file()
        else frames.frame(columns, [])
    )
