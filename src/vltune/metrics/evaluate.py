"""From a run's predictions to its results file."""

from __future__ import annotations

from vltune.metrics import caption, vqa
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.clip import OFF, ClipScore
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.records import fields
from vltune.pipeline.tasks import joined, tasks_of

COSTS = ("trained_parameters", "trained_share", "projector_parameters", "checkpoint_bytes")
# What a training says of its size, its audit and its projector; None where it says nothing, as imported runs.
TRAININGS = ("budget", "audit", "projector")


def evaluate(method: str, task: str, seed: int, settings: Evaluate, images: ClipScore = OFF) -> None:
    """Score one run, a joint one in both tasks; write data/results/METHOD/TASK-SEED.json. Captions are scored
    against their images too if `images` has weights.

    Raises:
        InputError: a file is missing or of the wrong form, or Java does not work.
    """
    path = paths.predictions(method, task, seed)
    if not path.is_file():
        existing = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
        raise InputError(
            f"{path}: no such file; predictions there are: {existing}; make it with stages/predict.py"
        )
    checkpoint = paths.checkpoint(method, task, seed) / "checkpoint.json"
    description = read_json(checkpoint)
    costs = fields(checkpoint, "the whole", 0, description, COSTS)
    together = {"trained_on": task} if len(tasks_of(task)) > 1 else {}
    results = {}
    for part in tasks_of(task):
        measured = vqa.measure(path, settings) if part == "vqa" else caption.measure(path, settings, images)
        scores, per_image, signature = measured
        results[part] = {
            "task": part, "method": method, "seed": seed, **together, **scores, **costs,
            **{name: description.get(name) for name in TRAININGS}, "per_image": per_image,
            "signature": signature,
        }
    write_json(paths.result(method, task, seed), joined(results))
