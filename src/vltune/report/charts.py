"""The charts as PNG: the same bytes for the same numbers, readable without colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vltune.pipeline.files import whole

# Okabe and Ito's palette, which people with any colour vision tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
BLIND = {
    "marker": "d",
    "markersize": 7,
    "markerfacecolor": "white",
    "markeredgecolor": "#222222",
    "linestyle": "",
}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "figure.dpi": 140,
    "savefig.dpi": 140,
}


def bars(path: Path, quality: dict[str, pd.DataFrame]) -> None:
    """Draw each task's main metric of every method as a bar
    with its interval, and a diamond for the blind model.

    `quality` are the tables of `tables.quality` by metric; so in `pareto`.
    """
    shades, most = colours(pd.concat(quality.values())), max(len(table) for table in quality.values())
    with figure(path, quality, 6.4, 1.3 + 0.48 * most) as panels:
        for axes, metric, table in panels:
            for y, row in enumerate(table.to_dict("records")):
                axes.barh(y, row[metric], height=0.66, color=shades[row["method"]], alpha=0.85)
                axes.errorbar(
                    row[metric], y, xerr=_interval(row, metric), color="#222222", capsize=4, linewidth=1.4
                )
                axes.plot(row["blind"], y, **BLIND)
                axes.annotate(f"{row[metric]:.3f}", (max(row["high"], row[metric], row["blind"]), y), (8, 0),
                              textcoords="offset points", va="center")
            axes.set_yticks(range(len(table)), table["method"])
            axes.invert_yaxis()
            axes.grid(visible=False, axis="y")
            axes.set_xlim(
                min(0.0, table["low"].min()), 1.14 * max(1e-3, table[["high", "blind"]].max(axis=None))
            )
            axes.set_xlabel(f"{metric} on the test images (line: interval; diamond: blind)")


def pareto(path: Path, quality: dict[str, pd.DataFrame]) -> None:
    """Draw each task's main metric with its interval against the trained share, on a log axis that has a
    position for 0; a method's hollow mark is the blind model."""
    shades, shapes = colours(pd.concat(quality.values())), marks(pd.concat(quality.values()))
    with figure(path, quality, 7.0, 4.2) as panels:
        for axes, metric, table in panels:
            for row in table.to_dict("records"):
                colour, shape = shades[row["method"]], shapes[row["method"]]
                axes.plot(
                    row["shown_percent"], row["blind"], marker=shape, markersize=7, markerfacecolor="none",
                    markeredgecolor=colour, linestyle="",
                )
                axes.errorbar(
                    row["shown_percent"], row[metric], yerr=_interval(row, metric), color=colour, capsize=4,
                    marker=shape, markersize=8, linewidth=1.6, linestyle="",
                    label=f"{row['method']} ({row['trained_percent']:.3g} %)",
                )
            axes.set_xscale("log")
            _ticks(axes, table)
            axes.set_xlabel("trained share of the decoder's parameters (%, log scale)")
            axes.set_ylabel(f"{metric} on the test images")
            _legend(axes, "method (trained share)\nhollow: blind")


def losses(path: Path, curves: pd.DataFrame) -> None:
    """Draw every run's training loss as a line and its validation losses as points."""
    shades, shapes = colours(curves), marks(curves)
    with figure(path, by_task(curves), 7.0, 4.2) as panels:
        for axes, _, table in panels:
            seeds = sorted(table["seed"].unique().tolist())
            for (method, seed), run in table.groupby(["method", "seed"], sort=False):
                line, points = run.dropna(subset="loss"), run.dropna(subset="val_loss")
                axes.plot(line["step"], line["loss"].astype(float), color=shades[method], linewidth=1.6,
                          label=method if len(seeds) == 1 else f"{method}, seed {seed}",
                          linestyle=DASHES[seeds.index(seed) % len(DASHES)])
                axes.plot(
                    points["step"], points["val_loss"].astype(float), color=shades[method], linestyle="",
                    marker=shapes[method], markersize=8, markeredgecolor="white",
                )
            axes.set_xlabel("training step")
            axes.set_ylabel("loss (nats per token)")
            _legend(axes, "line: training, moving mean\npoints: validation")


def tuning(path: Path, expected: pd.DataFrame) -> None:
    """Draw the lowest validation loss that k trials of the
    search are expected to reach; of `tables.tuning`."""
    shades, shapes = colours(expected), marks(expected)
    with figure(path, by_task(expected), 7.0, 3.6) as panels:
        for axes, _, table in panels:
            for method, points in table.groupby("method", sort=False):
                axes.plot(
                    points["k"], points["val_loss"].astype(float), color=shades[method],
                    marker=shapes[method], markersize=7, linewidth=1.6, label=method,
                )
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel("trials")
            axes.set_ylabel("expected best loss on val\n(nats per token)")
            _legend(axes, "method")


@contextmanager
def figure(path: Path, tables: dict[str, pd.DataFrame], width: float,
           height: float) -> Iterator[list[tuple[Axes, str, pd.DataFrame]]]:
    """Give one panel a table, one below the other, with the table's name; write the PNG whole at the end."""
    with mpl.rc_context({**mpl.rcParamsDefault, "backend": "agg", **STYLE}):
        drawing = Figure(figsize=(width, height * max(1, len(tables))), layout="constrained")
        FigureCanvasAgg(drawing)
        panels = [
            (drawing.add_subplot(len(tables), 1, i), name, table)
            for i, (name, table) in enumerate(tables.items(), 1)
        ]
        if len(tables) > 1:
            for axes, _, table in panels:
                axes.set_title(table["task"].iloc[0])
        yield panels
        with whole(path) as part:
            drawing.savefig(
                part, format="png", metadata={"Software": None}
            )  # the version would change the bytes


def by_task(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split a table by task, in its order."""
    return dict(iter(table.groupby("task", sort=False)))


def colours(table: pd.DataFrame) -> dict[str, str]:
    """Give each method its colour, by its position in the table."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(table["method"].unique())}


def marks(table: pd.DataFrame) -> dict[str, str]:
    """Give each method its marker, by its position in the table."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(table["method"].unique())}


def _interval(row: dict[str, Any], metric: str) -> list[list[float]]:
    """Give the lengths of the interval's arms; a bootstrap interval need not hold the value itself."""
    return [[max(0.0, row[metric] - row["low"])], [max(0.0, row["high"] - row[metric])]]


def _legend(axes: Axes, title: str) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=title, alignment="left")


def _ticks(axes: Axes, table: pd.DataFrame) -> None:
    """Label whole decades; where runs trained nothing, the
    leftmost is labelled 0 and cut off by a dotted line."""
    shown = table["shown_percent"]
    zeros, low, high = set(shown[table["trained_percent"] == 0]), shown.min(), shown.max()
    decades = [10.0 ** k for k in range(-12, 4) if low * 0.999 <= 10.0 ** k <= high * 10]
    axes.xaxis.set_major_locator(FixedLocator(decades))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: "0" if any(abs(x / zero - 1) < 1e-6 for zero in zeros) else f"{x:g}"))
    axes.set_xlim(low / 2, high * 2)
    for zero in zeros:
        axes.axvline(zero * 10 ** 0.5, color="#999999", linestyle=":", linewidth=1)
