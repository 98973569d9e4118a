"""What a method costs beside what it reaches: shares, time, memory and size, a row for each method."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vltune.comparison.compare import Comparison, by_method
from vltune.comparison.runs import TIMINGS, Run, mean
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
    resources = {name: _mean([run.resources for run in seeds if run.resources])
                 for name, seeds in by_method(runs).items()}
    rows = [{
        "everything_percent": _scaled(share, 0.01),
        "seconds": resources[method.method].get("train_seconds"),
        "memory_gb": _scaled(resources[method.method].get("peak_memory_bytes"), 1e9),
        "checkpoint_mb": _scaled(method.result["checkpoint_bytes"], 1e6),
        **{name: resources[method.method].get(name) for name in ("step_seconds", "captions_per_second")},
    } for method, share in zip(comparison.methods, tables.everything(comparison.methods), strict=True)]
    quality = tables.quality(comparison.first.spec.main, comparison.methods)
    return quality.join(pd.DataFrame(rows, dtype="Float64"))


def _mean(resources: list[dict[str, Any]]) -> dict[str, float]:
    return {name: mean([row[name] for row in resources]) for name in TIMINGS} if resources else {}


def _scaled(number: float | None, unit: float) -> float | None:
    return None if number is None else number / unit
