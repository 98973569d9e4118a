"""The charts as PNG: the same bytes for the same numbers, readable without colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vltune.pipeline.files import whole

# Okabe and Ito's palette, which people with any colour vision tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
BLIND = {"marker": "d", "markersize": 7, "markerfacecolor": "white", "markeredgecolor": "#222222", "linestyle": ""}
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11,
    "axes.titlelocation": "left", "axes.grid": True, "axes.axisbelow": True, "grid.color": "#e4e4e4", "legend.frameon": False,
    "figure.dpi": 140, "savefig.dpi": 140,
}


def bars(path: Path, quality: dict[str, list[dict[str, Any]]]) -> None:
    """Draw each task's main metric of every method with its interval, a bar each, and a diamond for the blind model.

    `quality` are the records of `tables.quality` by metric; so in `pareto`.
    """
    everything = [row for rows in quality.values() for row in rows]
    shades, most = colours(everything), max(len(rows) for rows in quality.values())
    with figure(path, quality, 6.4, 1.3 + 0.48 * most) as panels:
        for axes, metric, rows in panels:
            for y, row in enumerate(rows):
                axes.barh(y, row[metric], height=0.66, color=shades[row["method"]], alpha=0.85)
                axes.errorbar(row[metric], y, xerr=_interval(row, metric), color="#222222", capsize=4, linewidth=1.4)
                axes.plot(row["blind"], y, **BLIND)
                axes.annotate(f"{row[metric]:.3f}", (max(row["high"], row[metric], row["blind"]), y), (8, 0),
                              textcoords="offset points", va="center")
            axes.set_yticks(range(len(rows)), [row["method"] for row in rows])
            axes.invert_yaxis()
            axes.grid(visible=False, axis="y")
            axes.set_xlim(min(0.0, *(row["low"] for row in rows)), 1.14 * max(1e-3, *(max(row["high"], row["blind"]) for row in rows)))
            axes.set_xlabel(f"{metric} on the test images (line: bootstrap interval; diamond: blind)")


def pareto(path: Path, quality: dict[str, list[dict[str, Any]]]) -> None:
    """Draw each task's main metric with its interval against the trained share, on a logarithmic axis that has a place for
    zero; a method's hollow mark is the blind model."""
    everything = [row for rows in quality.values() for row in rows]
    shades, shapes = colours(everything), marks(everything)
    with figure(path, quality, 7.0, 4.2) as panels:
        for axes, metric, rows in panels:
            for row in rows:
                share = f"{row['trained_percent']:.3g} %"
                axes.plot(row["shown_percent"], row["blind"], marker=shapes[row["method"]], markersize=7, markerfacecolor="none",
                          markeredgecolor=shades[row["method"]], linestyle="")
                axes.errorbar(row["shown_percent"], row[metric], yerr=_interval(row, metric), color=shades[row["method"]], capsize=4,
                              marker=shapes[row["method"]], markersize=8, linewidth=1.6, linestyle="",
                              label=f"{row['method']} ({share})")
            axes.set_xscale("log")
            _ticks(axes, rows)
            axes.set_xlabel("trained share of the decoder's parameters (%, log scale)")
            axes.set_ylabel(f"{metric} on the test images")
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="method (trained share)\nhollow: blind",
                        alignment="left")


def losses(path: Path, curves: list[dict[str, Any]]) -> None:
    """Draw every run's training loss as a line and its validation losses as points."""
    shades, shapes = colours(curves), marks(curves)
    with figure(path, by_task(curves), 7.0, 4.2) as panels:
        for axes, _, rows in panels:
            seeds = sorted({row["seed"] for row in rows})
            for (method, seed), group in groupby(rows, key=lambda row: (row["method"], row["seed"])):
                same = list(group)
                name = method if len(seeds) == 1 else f"{method}, seed {seed}"
                line = [row for row in same if row["loss"] is not None]
                axes.plot([row["step"] for row in line], [row["loss"] for row in line], color=shades[method], label=name,
                          linewidth=1.6, linestyle=DASHES[seeds.index(seed) % len(DASHES)])
                points = [row for row in same if row["val_loss"] is not None]
                axes.plot([row["step"] for row in points], [row["val_loss"] for row in points], color=shades[method],
                          linestyle="", marker=shapes[method], markersize=8, markeredgecolor="white")
            axes.set_xlabel("training step")
            axes.set_ylabel("loss (nats per token)")
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="line: training, moving mean\npoints: validation",
                        alignment="left")


def tuning(path: Path, rows: list[dict[str, Any]]) -> None:
    """Draw the validation loss that the best of k trials of the search is expected to have; `rows` as of `tables.tuning`."""
    shades, shapes = colours(rows), marks(rows)
    with figure(path, by_task(rows), 7.0, 3.6) as panels:
        for axes, _, of_task in panels:
            for method, group in groupby(of_task, key=lambda row: row["method"]):
                points = list(group)
                axes.plot([row["k"] for row in points], [row["val_loss"] for row in points], color=shades[method],
                          marker=shapes[method], markersize=7, linewidth=1.6, label=method)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel("trials")
            axes.set_ylabel("expected best loss on val\n(nats per token)")
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="method", alignment="left")


@contextmanager
def figure(path: Path, groups: dict[str, list[dict[str, Any]]], width: float, height: float) -> Iterator[list[tuple[Axes, str, list]]]:
    """Give one panel a group, one below the other, with the group's name and rows; write the PNG whole at the end."""
    with mpl.rc_context({**mpl.rcParamsDefault, "backend": "agg", **STYLE}):
        drawing = Figure(figsize=(width, height * max(1, len(groups))), layout="constrained")
        FigureCanvasAgg(drawing)
        panels = [(drawing.add_subplot(len(groups), 1, i + 1), name, rows) for i, (name, rows) in enumerate(groups.items())]
        if len(groups) > 1:
            for axes, _, rows in panels:
                axes.set_title(rows[0]["task"])
        yield panels
        with whole(path) as part:
            drawing.savefig(part, format="png", metadata={"Software": None})  # the version would change the bytes


def by_task(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Group rows by task, in their order."""
    return {task: [row for row in rows if row["task"] == task] for task in dict.fromkeys(row["task"] for row in rows)}


def colours(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Give each method its colour, by its place in the list."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(row["method"] for row in rows))}


def marks(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Give each method its marker, by its place in the list."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(dict.fromkeys(row["method"] for row in rows))}


def _interval(row: dict[str, Any], metric: str) -> list[list[float]]:
    """Give the lengths of the interval's arms; a bootstrap interval need not hold the value itself."""
    return [[max(0.0, row[metric] - row["low"])], [max(0.0, row["high"] - row[metric])]]


def _ticks(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Label whole decades; where runs trained nothing, the leftmost is called 0 and cut off by a dotted line."""
    zeros = {row["shown_percent"] for row in rows if not row["trained_percent"]}
    low, high = min(row["shown_percent"] for row in rows), max(row["shown_percent"] for row in rows)
    decades = [10.0 ** k for k in range(-12, 4) if low * 0.999 <= 10.0 ** k <= high * 10]
    axes.xaxis.set_major_locator(FixedLocator(decades))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "0" if any(abs(x / zero - 1) < 1e-6 for zero in zeros) else f"{x:g}"))
    axes.set_xlim(low / 2, high * 2)
    for zero in zeros:
        axes.axvline(zero * 10 ** 0.5, color="#999999", linestyle=":", linewidth=1)
