"""What a method costs beside what it reaches: shares, time, memory and size, a row for each method."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vltune.comparison.compare import Comparison, Method, by_method
from vltune.comparison.runs import TIMINGS, Run, mean
from vltune.pipeline import paths
from vltune.report import tables

# Columns that charts draw the quality against, with unit.
COSTS = {"seconds": "training time (s)", "memory_gb": "peak memory of the training (GB)",
         "checkpoint_mb": "checkpoint (MB)"}


def table(comparison: Comparison, runs: list[Run]) -> pd.DataFrame:
    """Give `tables.quality` of a task with further columns: `everything_percent`, the trained share of
    decoder and projector together, and what `COSTS` names, means over seeds; missing where nothing was
    trained.

    Args: runs, those of the task.
    """
    decoder = decoder_parameters(comparison.methods)
    resources = {name: _mean([run.resources for run in seeds if run.resources])
                 for name, seeds in by_method(runs).items()}
    rows = [{
        "everything_percent": everything_percent(method, decoder),
        "seconds": resources[method.method].get("train_seconds"),
        "memory_gb": _scaled(resources[method.method].get("peak_memory_bytes"), 1e9),
        "checkpoint_mb": _scaled(method.result["checkpoint_bytes"], 1e6),
        **{name: resources[method.method].get(name) for name in ("step_seconds", "captions_per_second")},
    } for method in comparison.methods]
    quality = tables.quality(comparison.first.spec.main, comparison.methods)
    return quality.join(pd.DataFrame(rows, dtype="Float64"))


def decoder_parameters(methods: list[Method]) -> int | None:
    """Count the parameters of the decoder, by a method that trains a share of it; None if no method does."""
    shares = [(method.result["trained_share"], method.result["trained_parameters"]) for method in methods]
    share, trained = max(shares)
    return round(trained / share) if share > 0 else None


def everything_percent(method: Method, decoder: int | None) -> float | None:
    """Give the trained share of decoder and projector together, in percent.

    The projector of the start is fitted in closed form and counts as not trained.
    """
    if method.method == paths.START:
        return 0.0
    if decoder is None:
        return None
    projector = method.result["projector_parameters"]
    return 100 * (method.result["trained_parameters"] + projector) / (decoder + projector)


def _mean(resources: list[dict[str, Any]]) -> dict[str, float]:
    return {name: mean([row[name] for row in resources]) for name in TIMINGS} if resources else {}


def _scaled(number: float | None, unit: float) -> float | None:
    return None if number is None else number / unit
