"""The table of scores by group of test images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from vltune.comparison.compare import Comparison

Write = Callable[[Mapping[str, float | None]], str]

GROUP = "test images"


def table(comparison: Comparison, names: Sequence[str], value: Write, interval: Write) -> pd.DataFrame:
    """Give a row for each group and method; the first metric of `names` has its interval. `value` and
    `interval` write a score."""
    rows = []
    for group in comparison.groups:
        for method in comparison.methods:
            row = {GROUP: f"{group.label} ({group.images:,})", "method": method.method}
            for name in (name for name in names if name in group.scores):
                estimate = group.scores[name][method.method]
                score = {"value": estimate.mean, **asdict(estimate)}
                row[name] = interval(score) if name == names[0] else value(score)
            rows.append(row)
    return pd.DataFrame(rows).fillna("")
