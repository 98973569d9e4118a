"""The runs that params.yaml asks for: methods, tasks and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import PARAMS, read

START_SEED = 0  # the start is made once for each task, in closed form


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


def settings(*names: str, path: Path = PARAMS) -> dict[str, Any]:
    """Read sections as they stand, to be shown and not used; those that are missing are left out."""
    content = read(path)
    return {name: content[name] for name in names if name in content}


def wanted(methods: list[str], tasks: list[str], seeds: list[int]) -> list[tuple[str, str, int]]:
    """List the runs that there should be, as (method, task,
    seed), in the order of every table: the start comes last."""
    return [
        (method, task, seed)
        for task in tasks
        for method, seed in [
            *((method, seed) for method in methods for seed in seeds), (paths.START, START_SEED),
        ]
    ]
