"""Whether attention explains what the models predict: the check of `predict`, over images and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vltune.comparison import scores
from vltune.comparison.estimates import estimate
from vltune.comparison.per_image import level
from vltune.comparison.runs import Run
from vltune.metrics.bootstrap import DIGITS
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import fields
from vltune.pipeline.tasks import read_of_task

# By attribution: what masking its highest ranked image tokens is compared with, as (name, key of the drops).
AGAINST = {
    "attention": (("random", "random"), ("lowest", "attention_lowest"), ("elsewhere", "attention_elsewhere")),
    "gradient": (("random", "random"), ("lowest", "gradient_lowest")),
}
DROPS = ("random", *(f"{attribution}_highest" for attribution in AGAINST),
         *(key for others in AGAINST.values() for _, key in others))
NEEDED = ("random", "lowest")  # an attribution is faithful if masking costs more than in both of these
KEYS = ("image_id", "file_name", "text", "tokens", "weights", "checked", "drops")
HERE = Path()


@dataclass(frozen=True)
class Explained:
    """The attention of a run: of the image tokens the first `cells` are those of the grid, then come `extras`
    of the encoder and tags; `images` are the rows of its file. `sink`: the first cell is the first position
    that the decoder reads. `fit`, `crop_pct`: how the images were brought to the square of the grid."""

    run: Run
    cells: int
    sink: bool
    images: list[dict[str, Any]]
    extras: int = 0
    fit: str = "squash"
    crop_pct: float = 1.0


def collect(runs: list[Run], root: Path = HERE) -> list[Explained]:
    """Read the attention of the runs that have it, in the repository at `root`.

    Raises:
        InputError: a file is of the wrong form; names the file, the row and the key.
    """
    explained = []
    for run in runs:
        path = root / paths.predictions(run.method, run.training, run.seed).with_suffix(".attention.json")
        if path.is_file():
            content = fields(path, "the whole", 0, read_of_task(path, run.task), ("cells", "sink", "images"))
            rows = [_row(path, i, row) for i, row in enumerate(content["images"])]
            optional = {key: content[key] for key in ("extras", "fit", "crop_pct") if key in content}
            explained.append(Explained(run, content["cells"], content["sink"], rows, **optional))
    return explained


def _row(path: Path, number: int, content: Any) -> dict[str, Any]:
    row = fields(path, "images", number, content, KEYS)
    if row["drops"]:
        fields(path, f"images[{number}].drops", 0, row["drops"], DROPS)
    return row | {"weights": _weights(path, number, row)}


def _weights(path: Path, number: int, row: dict[str, Any]) -> np.ndarray:
    """Read a row's weights [tokens, image tokens]."""
    try:
        weights = np.array([line.split() for line in row["weights"]], dtype=float)
    except (AttributeError, ValueError):
        weights = np.empty(0)
    if len(weights) != len(row["tokens"]) or (len(weights) and weights.ndim != 2):
        raise InputError(f"{path}: images[{number}]: expected a line of weights for each of the "
                         f"{len(row['tokens'])} tokens, all of equally many numbers")
    return weights


def faithfulness(explained: list[Explained]) -> list[dict[str, Any]]:
    """Compare masking the highest ranked image tokens with the other ways to mask: the rows of
    metrics/attention.csv, for each task and method.

    The intervals are those of `estimates`: over images, and over seeds where there are enough.
    """
    groups: dict[tuple[str, str], list[Explained]] = {}
    for item in explained:
        groups.setdefault((item.run.task, item.run.method), []).append(item)
    return [row for seeds in groups.values() for row in _compared(seeds)]


def _compared(seeds: list[Explained]) -> list[dict[str, Any]]:
    """Compare for one task and method, on the images of which every seed has a checked token.

    A single image has no interval, and gives no row.
    """
    run = seeds[0].run
    drops = [{row["image_id"]: row["drops"] for row in item.images if row["drops"]} for item in seeds]
    images = [image for image in drops[0] if all(image in own for own in drops)]
    rows = []
    for attribution, others in AGAINST.items() if len(images) > 1 else ():
        highest = _values(drops, images, f"{attribution}_highest")
        for name, key in others:
            other = _values(drops, images, key)
            metric = scores.means({run.method: highest - other})
            difference = estimate(metric, level(run.settings))[run.method]
            numbers = {"highest": highest.mean(), "other": other.mean(), "difference": difference.mean,
                       "low": difference.low, "high": difference.high}
            verdict = "more" if difference.low > 0 else "less" if difference.high < 0 else "not shown"
            rows.append({
                "task": run.task, "method": run.method, "attribution": attribution, "against": name,
                **{column: round(float(x), DIGITS) for column, x in numbers.items()}, "verdict": verdict,
                "seeds": len(seeds), "images": len(images)})
    return rows


def _values(drops: list[dict[Any, dict[str, float]]], images: list[Any], key: str) -> np.ndarray:
    """Give the drops [seeds, images] by one way to mask."""
    return np.array([[own[image][key] for image in images] for own in drops])


def faithful(rows: list[dict[str, Any]], task: str, attribution: str) -> dict[str, bool]:
    """Tell of each method whether an attribution is faithful by the check."""
    methods: dict[str, bool] = {}
    for row in rows:
        if (row["task"], row["attribution"]) == (task, attribution) and row["against"] in NEEDED:
            methods[row["method"]] = methods.get(row["method"], True) and row["verdict"] == "more"
    return methods
