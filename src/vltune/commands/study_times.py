"""How long the missing runs of a study will take, by the times of those that are finished."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from vltune.commands.study_plan import Planned, Settings, Study
from vltune.commands.study_runs import Finished
from vltune.comparison import frames
from vltune.pipeline import paths

RESOURCES = Path("metrics/resources.csv")


def work(settings: Settings) -> int:
    """Count the texts that a training reads, to which its time is proportional."""
    train = settings["train"]
    return train["steps"] * train["batch_size"] * train["texts_per_image"]


def read_trainings(root: Path) -> list[dict[str, Any]]:
    """Read the times of the pipeline's own trainings; none where there is no table."""
    path = root / RESOURCES
    return frames.records(frames.read(path, frames.RESOURCES)) if path.is_file() else []


def estimate(study: Study, run: Planned, finished: Iterable[Finished],
             trainings: list[dict[str, Any]]) -> float | None:
    """Estimate the seconds of a run; None if no time tells anything.

    The most similar runs count: of the same variant, method and task; else of the same method and task, with
    the training in proportion to the texts; else the pipeline's own training in `trainings`; else the same
    task with other methods, where joint trainings are a task of their own. Prediction and scoring are taken
    to be as long as in the study's other runs.
    """
    texts = 0 if run.method == paths.START else work(study.settings(run))
    runs = [other for other in finished if other.planned.training == run.training]
    alike = [other for other in runs if other.planned.method == run.method]
    nearest = [other for other in alike if other.planned.variant == run.variant] or alike
    if not nearest:
        rest = fmean(other.seconds - other.train_seconds for other in runs) if runs else 0.0
        own = [row["train_seconds"] * texts / work(study.params) + rest for row in trainings
               if (row["method"], row["task"]) == (run.method, run.training)]
        if own:
            return fmean(own)
        nearest = runs
    seconds = [_scaled(other, texts) for other in nearest]
    return fmean(seconds) if seconds else None


def _scaled(run: Finished, texts: int) -> float:
    return run.seconds + run.train_seconds * (texts / work(run.settings) - 1)
