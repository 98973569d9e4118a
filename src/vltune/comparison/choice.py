"""The runs that params.yaml asks for: methods, tasks and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import PARAMS, choice_of, read
from vltune.pipeline.tasks import by_task

START_SEED = 0  # the start is made once for each task, in closed form


class Wanted(NamedTuple):
    """The results of a method and seed in a task, and the training that they come from."""

    method: str
    task: str
    seed: int
    training: str

    @property
    def result(self) -> Path:
        """The file of the results."""
        return paths.result(self.method, self.training, self.seed)




def values(name: str, item_type: type[str] | type[int] = str, path: Path = PARAMS) -> list[Any]:
    """Read a list at the top level of params.yaml, such as `methods`.

    Raises:
        InputError: it is missing, empty, no list, holds something of another type, or something twice.
    """
    items = read(path).get(name)
    if not isinstance(items, list) or not items or not all(type(item) is item_type for item in items):
        wanted = "whole numbers" if item_type is int else "names"
        raise InputError(f"{path}: '{name}' must be a list of at least one, all {wanted}; found {items!r}")
    if len(set(items)) < len(items):
        raise InputError(f"{path}: '{name}' holds something twice: {items!r}")
    return items


def compared(path: Path = PARAMS) -> list[str]:
    """Read which methods are compared: those of `methods`
    and of `extra_methods`, which may be empty or absent.

    Raises:
        InputError: as `values`, or a method stands in both lists.
    """
    methods, extra = (
        values("methods", path=path),
        values("extra_methods", path=path) if read(path).get("extra_methods") else [],
    )
    twice = [name for name in extra if name in methods]
    if twice:
        raise InputError(
            f"{path}: '{twice[0]}' is in 'methods' and in 'extra_methods'; take it out of one of them"
        )
    return methods + extra


def trainings(task: str | None, path: Path = PARAMS) -> list[str]:
    """Read which trainings there should be; only the one that a task's results come from, if it is given.

    Raises:
        InputError: as `values` and `by_task`, or the task is none of them.
    """
    listed = values("tasks", path=path)
    if task is None:
        return listed
    scored = by_task(listed, f"{path}: 'tasks'")
    return [scored[choice_of("unknown task", task, list(scored))]]


def settings(*names: str, path: Path = PARAMS) -> dict[str, Any]:
    """Read sections as they stand, to be shown and not used; those that are missing are left out."""
    content = read(path)
    return {name: content[name] for name in names if name in content}


def wanted(methods: list[str], trainings: list[str], seeds: list[int]) -> list[Wanted]:
    """List the runs that there should be, in the order of every table: the start comes last.

    Raises:
        InputError: two trainings are for the same task.
    """
    return [
        Wanted(method, task, seed, training)
        for task, training in by_task(trainings, f"{PARAMS}: 'tasks'").items()
        for method, seed in [
            *((method, seed) for method in methods for seed in seeds), (paths.START, START_SEED),
        ]
    ]
