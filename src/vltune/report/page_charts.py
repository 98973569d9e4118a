"""The charts of the page, task by task, as inline SVG."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from vltune.comparison.compare import Comparison
from vltune.report import panels, svg
from vltune.report.costs import COSTS

Look = tuple[dict[str, str], dict[str, str]]  # colours and markers by method


def overview(task: str, metric: str, table: pd.DataFrame, shades: dict[str, str]) -> Markup:
    """Draw quality with intervals, and beside it the trained shares; `table` is one of `costs.table`."""
    shares = [x for name in ("trained_percent", "everything_percent") for x in table[name].dropna() if x > 0]
    zero = 10.0 ** (math.floor(math.log10(min(shares, default=1.0))) - 1)

    def draw(axes: list[Any]) -> None:
        panels.quality(axes[0], metric, table, shades)
        panels.shares(axes[1], table, shades, zero)

    label = f"{task}: {metric} of every method with its interval, and the share of parameters that it trains"
    return svg.chart(f"overview-{task}", label, 5.1, 1.05 + 0.34 * len(table), draw, (1.25, 1.0))


def costs(task: str, metric: str, table: pd.DataFrame, look: Look) -> list[tuple[str, Markup]]:
    """Draw quality against the trained share, time, memory and size, each with its Pareto front."""
    def share(axes: list[Any]) -> None:
        panels.pareto(axes[0], metric, table, *look)
        svg.legend(axes[0])

    drawn = [("", svg.chart(f"share-{task}", f"{task}: {metric} against the trained share", 4.0, 3.5, share))]
    for column, label in COSTS.items():
        def against(axes: list[Any], column: str = column, label: str = label) -> None:
            panels.cost(axes[0], metric, table, column, label, *look)
            svg.legend(axes[0])

        if table[column].notna().any():
            name = f"{task}: {metric} against {label}"
            drawn.append(("", svg.chart(f"{column}-{task}", name, 4.0, 3.5, against)))
    return drawn


def losses(task: str, table: pd.DataFrame, look: Look) -> Markup:
    """Draw the losses of a task's runs; `table` is of `tables.curves`."""
    def draw(axes: list[Any]) -> None:
        panels.losses(axes[0], table, *look)
        svg.legend(axes[0])

    return svg.chart(f"losses-{task}", f"{task}: training loss of every method by step, and validation loss",
                     4.9, 3.6, draw)


def tuning(task: str, table: pd.DataFrame, look: Look) -> Markup:
    """Draw what the search for learning rates is expected to reach; `table` is of `tables.tuning`."""
    def draw(axes: list[Any]) -> None:
        panels.tuning(axes[0], table, *look)
        svg.legend(axes[0])

    return svg.chart(f"tuning-{task}", f"{task}: lowest validation loss expected of k trials", 4.9, 3.4, draw)


def question_types(comparison: Comparison) -> Markup:
    """Draw the main metric of every method by type of question."""
    methods, metric = comparison.methods, comparison.first.spec.main
    blind = comparison.first.spec.blind[0].name
    names = list(comparison.first.result["question_types"])
    cells = []
    for name in names:
        row = []
        for method in methods:
            score = method.result["question_types"].get(name, {"value": math.nan})
            unseen = method.result["control_question_types"][blind].get(name)
            ends = f" ({score['low']:.3f} to {score['high']:.3f})" if "low" in score else ""
            beside = f"{unseen['value']:.3f}" if unseen else "not asked"
            row.append((score["value"],
                        f"{method.method}, {name}: {metric} {score['value']:.3f}{ends}; blind {beside}"))
        cells.append(row)

    def draw(axes: list[Any]) -> None:
        panels.types(axes[0], metric, cells, names, [method.method for method in methods])

    return svg.chart(f"types-{comparison.first.task}", f"{metric} of every method by type of question", 5.0,
                     0.75 + 0.34 * len(names), draw)

