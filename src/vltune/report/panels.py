"""What the charts show: each function draws one panel on matplotlib's axes.

The same panel becomes a PNG (`charts.py`) or a part of the page (`svg.py`). A mark that has a value carries
it as its id, after HOVER; the page shows it under the pointer.
"""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vltune.report.style import DASHES, INK

HOVER = "hover: "
BLIND = {"marker": "d", "markersize": 7, "markerfacecolor": "white", "markeredgecolor": INK, "linestyle": ""}
POINTS = 14  # of a curve that show their value
DARKER = 0.48  # luminance of a cell from which on a dark number has more contrast than a light one


def hover(artist: Artist, text: str) -> None:
    """Let a mark say its value."""
    artist.set_gid(HOVER + text)


def quality(axes: Axes, metric: str, table: pd.DataFrame, shades: dict[str, str]) -> None:
    """Draw the main metric of every method as a bar with its interval, and a diamond for the blind model.

    `table` is one of `tables.quality`, and so in `pareto`.
    """
    for y, row in enumerate(table.to_dict("records")):
        [bar] = axes.barh(y, row[metric], height=0.66, color=shades[row["method"]], alpha=0.85)
        hover(bar, _value(row, metric))
        axes.errorbar(row[metric], y, xerr=_interval(row, metric), color=INK, capsize=4, linewidth=1.4)
        [diamond] = axes.plot(row["blind"], y, **BLIND)
        hover(diamond, f"{row['method']}, blind: {metric} {row['blind']:.3f}")
        axes.annotate(f"{row[metric]:.3f}", (max(row["high"], row[metric], row["blind"]), y), (6, 0),
                      textcoords="offset points", va="center")
    axes.set_yticks(range(len(table)), table["method"])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(min(0.0, table["low"].min()), 1.2 * max(1e-3, table[["high", "blind"]].max(axis=None)))
    axes.set_xlabel(f"{metric} on the test images\nline: interval; diamond: blind")


def shares(axes: Axes, table: pd.DataFrame, shades: dict[str, str], zero: float) -> None:
    """Draw beside `quality` which share is trained: of the decoder (filled), and of decoder and projector
    together (hollow); zeros stand at `zero` of the log axis."""
    for y, row in enumerate(table.to_dict("records")):
        both = [("trained_percent", "of the decoder", shades[row["method"]]),
                ("everything_percent", "of decoder and projector together", "none")]
        for column, what, filling in both:
            if pd.isna(row[column]):
                continue
            [mark] = axes.plot(row[column] or zero, y, marker="o" if filling != "none" else "s", markersize=8,
                               markerfacecolor=filling, markeredgecolor=shades[row["method"]],
                               markeredgewidth=1.6, linestyle="")
            hover(mark, f"{row['method']}: {row[column]:.3g} % {what} is trained")
    axes.set_xscale("log")
    _decades(axes, zero, 100.0, {zero}, every=2)
    axes.set_xlabel("trained (%, log scale)\nfilled: of decoder;\nhollow: with projector")


def pareto(axes: Axes, metric: str, table: pd.DataFrame, shades: dict[str, str],
           shapes: dict[str, str]) -> None:
    """Draw the main metric with its interval against the trained share, on a log axis that has a
    position for 0; a method's hollow mark is the blind model."""
    for row in table.to_dict("records"):
        [blind] = axes.plot(
            row["shown_percent"], row["blind"], marker=shapes[row["method"]], markersize=7,
            markerfacecolor="none", markeredgecolor=shades[row["method"]], linestyle="")
        hover(blind, f"{row['method']}, blind: {metric} {row['blind']:.3f}")
        _scored(axes, metric, row, "shown_percent", f"{row['trained_percent']:.3g} % of the decoder",
                shades[row["method"]], shapes[row["method"]])
    axes.set_xscale("log")
    shown = table["shown_percent"]
    zeros = set(shown[table["trained_percent"] == 0])
    _decades(axes, shown.min(), shown.max(), zeros, every=1)
    _front(axes, metric, table, "shown_percent")
    axes.set_xlabel("trained share of the decoder (%, log scale)")
    axes.set_ylabel(f"{metric} on the test images")


def cost(axes: Axes, metric: str, table: pd.DataFrame, column: str, label: str, shades: dict[str, str],
         shapes: dict[str, str]) -> None:
    """Draw the main metric with its interval against what a method costs, of those where that is known."""
    known = table.dropna(subset=column)
    unit = label[label.find("(") + 1:label.find(")")]
    for row in known.to_dict("records"):
        _scored(axes, metric, row, column, f"{row[column]:,.4g} {unit}", shades[row["method"]],
                shapes[row["method"]])
    if len(known) and known[column].max() > 20 * max(known[column].min(), 1e-9):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
        label = label.replace(")", ", log scale)")
    else:
        axes.set_xlim(0, 1.12 * max(known[column].max(), 1e-9) if len(known) else 1)
    _front(axes, metric, known, column)
    axes.set_xlabel(label)
    axes.set_ylabel(f"{metric} on the test images")


def losses(axes: Axes, table: pd.DataFrame, shades: dict[str, str], shapes: dict[str, str]) -> None:
    """Draw every run's training loss as a line, which ends where the training stopped, and its validation
    losses as points, with a ring around the step that was kept if there are several."""
    seeds = sorted(table["seed"].unique().tolist())
    for (method, seed), run in table.groupby(["method", "seed"], sort=False):
        name = method if len(seeds) == 1 else f"{method}, seed {seed}"
        line, points = run.dropna(subset="loss"), run.dropna(subset="val_loss")
        axes.plot(line["step"], line["loss"].astype(float), color=shades[method], linewidth=1.6, label=name,
                  linestyle=DASHES[seeds.index(seed) % len(DASHES)])
        axes.plot(points["step"], points["val_loss"].astype(float), color=shades[method], linestyle="",
                  marker=shapes[method], markersize=8, markeredgecolor="white")
        if len(points) > 1:
            kept = points.loc[[points["val_loss"].astype(float).idxmin()]]  # the first, as in training
            axes.plot(kept["step"], kept["val_loss"].astype(float), color=shades[method], linestyle="",
                      marker="o", markersize=14, markerfacecolor="none", gid=f"kept {name}")
        shown = [(line.iloc[::max(1, len(line) // POINTS)], "loss", "training"),
                 (points, "val_loss", "validation")]
        for rows, column, split in shown:
            for step, loss in zip(rows["step"], rows[column].astype(float), strict=True):
                [point] = axes.plot(step, loss, marker="o", markersize=9, alpha=0, linestyle="")
                hover(point, f"{name}, step {step}: {split} loss {loss:.3f} nats per token")
    axes.set_xlabel("training step")
    axes.set_ylabel("loss (nats per token)")


def tuning(axes: Axes, table: pd.DataFrame, shades: dict[str, str], shapes: dict[str, str]) -> None:
    """Draw the lowest validation loss that k trials of the search are expected to reach, of
    `tables.tuning`."""
    for method, points in table.groupby("method", sort=False):
        losses_of_k = points["val_loss"].astype(float)
        axes.plot(points["k"], losses_of_k, color=shades[method], linewidth=1.6, marker=shapes[method],
                  markersize=7, label=method)
        for k, loss in zip(points["k"], losses_of_k, strict=True):
            [point] = axes.plot(k, loss, marker="o", markersize=10, alpha=0, linestyle="")
            hover(point, f"{method}, best of {k}: {loss:.3f} nats per token")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trials")
    axes.set_ylabel("expected best loss on val\n(nats per token)")


def types(axes: Axes, metric: str, cells: list[list[tuple[float, str]]], rows: list[str],
          columns: list[str]) -> None:
    """Draw a heat map from 0 to 1: a row for each type of question, a column for each method; a cell is its
    value and what it says under the pointer."""
    shades = mpl.colormaps["cividis"]
    for y, row in enumerate(cells):
        for x, (value, text) in enumerate(row):
            colour = shades(min(1.0, max(0.0, value)))
            square = axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="none"))
            hover(square, text)
            bright = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2] > DARKER
            shown = "" if math.isnan(value) else f"{value:.2f}"  # not asked
            number = axes.text(x + 0.5, y + 0.5, shown, ha="center", va="center",
                               color="#111111" if bright else "#fafafa")
            hover(number, text)
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    axes.set_xticks([x + 0.5 for x in range(len(columns))], columns)
    axes.set_yticks([y + 0.5 for y in range(len(rows))], rows)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"{metric}, from 0 (dark) to 1 (bright)")


def _scored(axes: Axes, metric: str, row: dict[str, Any], column: str, text: str, colour: str,
            shape: str) -> None:
    """Draw a method's score with its interval."""
    mark, _, _ = axes.errorbar(
        row[column], row[metric], yerr=_interval(row, metric), color=colour, capsize=4, marker=shape,
        markersize=8, linewidth=1.6, linestyle="", label=row["method"])
    hover(mark, f"{_value(row, metric)}; {text}")


def _front(axes: Axes, metric: str, table: pd.DataFrame, column: str) -> None:
    """Draw the Pareto front: a step below and right of which another method is both better and cheaper."""
    points = front(table[column].tolist(), table[metric].tolist())
    if points:
        axes.step(*zip(*points, strict=True), where="post", color=INK, linewidth=1, linestyle=":", zorder=0)


def front(costs: list[float], scores: list[float]) -> list[tuple[float, float]]:
    """Give the points (cost, score) that no other point reaches at the same cost or less, by rising cost."""
    best: list[tuple[float, float]] = []
    for x, y in sorted(zip(costs, scores, strict=True), key=lambda point: (point[0], -point[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    return best


def _value(row: dict[str, Any], metric: str) -> str:
    return f"{row['method']}: {metric} {row[metric]:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _interval(row: dict[str, Any], metric: str) -> list[list[float]]:
    """Give the lengths of the interval's arms; a bootstrap interval need not hold the value itself."""
    return [[max(0.0, row[metric] - row["low"])], [max(0.0, row["high"] - row[metric])]]


def _decades(axes: Axes, low: float, high: float, zeros: set[float], every: int) -> None:
    """Label whole decades; where runs trained nothing, the
    leftmost is labelled 0 and cut off by a dotted line."""
    decades = [10.0 ** k for k in range(-12, 4) if low * 0.999 <= 10.0 ** k <= high * 1.001]
    axes.xaxis.set_major_locator(FixedLocator(decades[::every]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: "0" if any(abs(x / zero - 1) < 1e-6 for zero in zeros) else f"{x:g}"))
    axes.set_xlim(low / 2, high * 2)
    for zero in zeros:
        axes.axvline(zero * 10 ** 0.5, color="#999999", linestyle=":", linewidth=1)


