"""The charts as PNG: the same bytes for the same numbers, readable without colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vltune.pipeline.files import whole
from vltune.report import panels
from vltune.report.style import STYLE, colours, marks


def bars(path: Path, quality: dict[str, pd.DataFrame]) -> None:
    """Draw `panels.quality` of each task; `quality` are the tables of `tables.quality` by metric."""
    shades, most = colours(pd.concat(quality.values())), max(len(table) for table in quality.values())
    with figure(path, quality, 6.4, 1.3 + 0.48 * most) as drawn:
        for axes, metric, table in drawn:
            panels.quality(axes, metric, table, shades)


def pareto(path: Path, quality: dict[str, pd.DataFrame]) -> None:
    """Draw `panels.pareto` of each task, from the same tables."""
    together = pd.concat(quality.values())
    with figure(path, quality, 7.0, 4.2) as drawn:
        for axes, metric, table in drawn:
            panels.pareto(axes, metric, table, colours(together), marks(together))
            legend(axes, "method\n(hollow: blind)")


def losses(path: Path, curves: pd.DataFrame) -> None:
    """Draw `panels.losses` of each task."""
    with figure(path, by_task(curves), 7.0, 4.2) as drawn:
        for axes, _, table in drawn:
            panels.losses(axes, table, colours(curves), marks(curves))
            legend(axes, "line: training, moving mean\npoints: validation, ring: kept")


def tuning(path: Path, expected: pd.DataFrame) -> None:
    """Draw `panels.tuning` of each task."""
    with figure(path, by_task(expected), 7.0, 3.6) as drawn:
        for axes, _, table in drawn:
            panels.tuning(axes, table, colours(expected), marks(expected))
            legend(axes, "method")


@contextmanager
def figure(path: Path, tables: dict[str, pd.DataFrame], width: float,
           height: float) -> Iterator[list[tuple[Axes, str, pd.DataFrame]]]:
    """Give one panel a table, one below the other, with the table's name; write the PNG whole at the end."""
    with mpl.rc_context({**mpl.rcParamsDefault, "backend": "agg", **STYLE}):
        drawing = Figure(figsize=(width, height * max(1, len(tables))), layout="constrained")
        FigureCanvasAgg(drawing)
        drawn = [
            (drawing.add_subplot(len(tables), 1, i), name, table)
            for i, (name, table) in enumerate(tables.items(), 1)
        ]
        if len(tables) > 1:
            for axes, _, table in drawn:
                axes.set_title(table["task"].iloc[0])
        yield drawn
        with whole(path) as part:
            drawing.savefig(
                part, format="png", metadata={"Software": None}
            )  # the version would change the bytes


def by_task(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split a table by task, in its order."""
    return dict(iter(table.groupby("task", sort=False)))


def legend(axes: Axes, title: str) -> None:
    """Draw the legend right of a panel."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=title, alignment="left")
