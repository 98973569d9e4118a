"""What a training is for: one task, or captions and questions together.

A training is named by its task; that of both is `caption+vqa`. It leaves one checkpoint, one file of
predictions and one of results, which hold a mapping from both tasks to what the files of a single task hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import TASKS, nearest

JOINT = "+".join(TASKS)
TRAININGS = (*TASKS, JOINT)  # what `tasks` in params.yaml may list


def tasks_of(training: str) -> tuple[str, ...]:
    """Give the tasks that a training is for."""
    return tuple(training.split("+"))


def by_task(trainings: Iterable[str], where: str) -> dict[str, str]:
    """Give for each task the training that its results come from, in the order of the list `where`.

    Raises:
        InputError: a name is unknown, or two trainings are for the same task.
    """
    sources: dict[str, str] = {}
    for training in trainings:
        if training not in TRAININGS:
            raise InputError(f"{where} holds the unknown task {training!r}{nearest(training, TRAININGS)}; "
                             f"expected {', '.join(TRAININGS)}")
        for task in tasks_of(training):
            if task in sources:
                raise InputError(
                    f"{where} holds '{sources[task]}' and '{training}', which are both trained on '{task}'; "
                    "leave one of them out, or compare them as two variants of a study")
            sources[task] = training
    return sources


def of_training(value: Any, training: str) -> Any:
    """Give the number that a training uses of a learning rate, which may be listed by task, or None.

    A joint training has a rate of its own, or the geometric mean of the tasks' rates, the middle on the
    logarithmic scale on which rates are searched.
    """
    if not isinstance(value, Mapping):
        return value
    rates = [value.get(task) for task in tasks_of(training)]
    if training in value or None in rates:
        return value.get(training)
    return math.sqrt(math.prod(rates))


def joined(contents: Mapping[str, Any]) -> Any:
    """Give what a training's file holds, from the contents of its tasks."""
    return dict(contents) if len(contents) > 1 else next(iter(contents.values()))


def is_joint(content: Any) -> bool:
    """Say whether the content of a file is that of a joint training."""
    return isinstance(content, dict) and set(content) == set(TASKS)


def read_of_task(path: Path, task: str) -> Any:
    """Read the content of a task from a training's JSON file."""
    content = read_json(path)
    return content[task] if is_joint(content) else content
