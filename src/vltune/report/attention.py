"""Pictures of attention: the cells of the grid over the image, and the other tokens as bars under it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from vltune.comparison.attention import Explained
from vltune.pipeline.files import whole
from vltune.pipeline.records import evenly
from vltune.report import gallery
from vltune.report.style import STYLE

COLOUR = (0.835, 0.369, 0.0)  # vermilion of Okabe and Ito's palette
GREY = "#777777"
STRONGEST = 0.7  # opacity of the cell with the largest weight
PALER = 0.45  # how far the picture is moved towards white
EXAMPLES = 6  # images of the report's figure
WIDTH = 1.45  # inches of a panel
NARROWEST = 3  # panels, for the note
CHARACTERS = 14  # of the note, in an inch
LARGEST = 336  # pixels of a picture's longer side


@dataclass(frozen=True)
class Panel:
    """A picture [height, width, 3] with the weights [m] of a token on its image tokens, the grid's first."""

    title: str
    picture: np.ndarray
    weights: np.ndarray


def draw(
    path: Path, panels: Sequence[Panel], columns: int, cells: int, sink: bool, labels: Sequence[str] = (),
    extras: int = 0,
) -> None:
    """Draw panels row by row into a PNG, on one scale, or on a scale for each row where rows have labels.

    The first cell of the grid is hatched and not coloured where it is an attention sink (`sink`): its weight
    says nothing of what it shows.

    Args: cells, of the grid, a square number; labels, of the rows; extras, how many class and register tokens
        of the encoder come after the cells.
    """
    rows = [panels[i:i + columns] for i in range(0, len(panels), columns)]
    height = max((panel.picture.shape[0] / panel.picture.shape[1] for panel in panels), default=1.0)
    style = {**mpl.rcParamsDefault, "backend": "agg", **STYLE, "axes.grid": False}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box is drawn for a character without one
        note = _note(sink, "row" if labels else "figure", extras)
        figure, grid = _layout(max(1, len(rows)), max(columns, NARROWEST), WIDTH * height, note)
        for i, row in enumerate(rows):
            largest = _largest(row if labels else panels, cells, sink)
            for j, panel in enumerate(row):
                picture, bars = (figure.add_subplot(grid[2 * i + part, j]) for part in (0, 1))
                _cells(picture, panel, cells, largest[0], sink)
                picture.set_xlabel(_shares(panel.weights, cells, extras, sink), fontsize=7.5, labelpad=2)
                _bars(bars, panel.weights[cells:], largest[1], extras)
                if labels and not j:
                    picture.set_ylabel(labels[i])
        _save(path, figure)


def _layout(rows: int, columns: int, height: float, note: str) -> tuple[Figure, GridSpec]:
    """Make a figure with two cells for each panel, of which the first has a height in inches."""
    width = WIDTH * columns
    lines = fill(note, round(CHARACTERS * width))
    size = (width, (height + 0.85) * rows + 0.15 * (2 + lines.count("\n")))
    figure = Figure(figsize=size, layout="constrained")
    figure.supxlabel(lines, fontsize=8)
    return figure, figure.add_gridspec(2 * rows, columns, height_ratios=[height, 0.3] * rows)


def _save(path: Path, figure: Figure) -> None:
    """Write a PNG whole, in 256 colours: a third of the size."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    with whole(path) as part:
        drawn.quantize(256).save(part, "PNG", optimize=True)


def _largest(panels: Sequence[Panel], cells: int, sink: bool) -> tuple[float, float]:
    """Give the largest weight of a cell, and of another token."""
    weights = np.stack([panel.weights for panel in panels])
    return tuple(float(part.max(initial=1e-9)) for part in (weights[:, int(sink):cells], weights[:, cells:]))


def _note(sink: bool, scaled: str, extras: int) -> str:
    others = "the encoder's extra tokens (grey) and the tags" if extras else "the tags"
    hatched = " Hatched: the first position, which collects attention whatever it holds." if sink else ""
    return (f"Orange: weight of a cell. Bars: weights of {others}. Both relative to the {scaled}'s largest."
            f"{hatched}")


def _cells(axes: Axes, panel: Panel, cells: int, top: float, sink: bool) -> None:
    """Draw the picture in grey, and over it each cell with an opacity in proportion to its weight."""
    side = math.isqrt(cells)
    grey = panel.picture.mean(-1, keepdims=True).repeat(3, -1) / 255
    axes.imshow(grey + PALER * (1 - grey), extent=(0, side, side, 0))
    opacity = np.clip(panel.weights[:cells] / top, 0, 1) * STRONGEST
    opacity[:int(sink)] = 0
    colours = np.broadcast_to(COLOUR, (side, side, 3))
    axes.imshow(np.dstack((colours, opacity.reshape(side, side))), extent=(0, side, side, 0))
    axes.set_aspect(panel.picture.shape[0] / panel.picture.shape[1])
    if sink:
        axes.add_patch(Rectangle((0, 0), 1, 1, fill=False, hatch="////", edgecolor=GREY, linewidth=0))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#dddddd")
    axes.set_title(panel.title, parse_math=False, fontsize=10, loc="center")


def _shares(weights: np.ndarray, cells: int, extras: int, sink: bool) -> str:
    parts = {"grid": weights[int(sink):cells], "extra": weights[cells:cells + extras],
             "tags": weights[cells + extras:]}
    return ", ".join(f"{name} {100 * part.sum():.0f} %" for name, part in parts.items()
                     if name != "extra" or extras)


def _bars(axes: Axes, weights: np.ndarray, top: float, extras: int) -> None:
    colours = [GREY] * extras + [COLOUR] * (len(weights) - extras)
    axes.bar(range(len(weights)), weights, color=colours, width=0.7)
    axes.set(xlim=(-0.6, max(1, len(weights)) - 0.4), ylim=(0, top), xticks=[], yticks=[])
    axes.spines["left"].set_visible(False)
    if not len(weights):
        axes.set_axis_off()


def examples(path: Path, explained: list[Explained]) -> None:
    """Draw the report's figure: some images at equal distances, a row for each method, with the attention on
    the token that depends most on the image. Of a method with several seeds the first is shown."""
    first = {item.run.method: item for item in reversed(explained)}
    methods = [first[method] for method in dict.fromkeys(item.run.method for item in explained)]
    by_image = [{row["image_id"]: row for row in item.images if row["checked"]} for item in methods]
    common = [image for image in (by_image[0] if by_image else {}) if all(image in own for own in by_image)]
    chosen = evenly([image for image in common if _path(by_image[0][image]).is_file()], EXAMPLES)
    panels = [_panel(item, own[image]) for item, own in zip(methods, by_image, strict=True)
              for image in chosen]
    draw(path, panels, max(1, len(chosen)), methods[0].cells if methods else 1,
         all(item.sink for item in methods), [item.run.method for item in methods],
         methods[0].extras if methods else 0)


def _panel(item: Explained, row: dict[str, Any]) -> Panel:
    token, shown = row["checked"][0], picture(_path(row), item.fit, item.crop_pct)
    return Panel(row["tokens"][token] or "(space)", shown, row["weights"][token])


def _path(row: dict[str, Any]) -> Path:
    return gallery.FOLDER / row["file_name"]


def picture(path: Path, fit: str = "squash", crop_pct: float = 1.0) -> np.ndarray:
    """Read what the encoder sees of an image as RGB [height, width, 3], at most LARGEST pixels wide and high.

    Args: fit, crop_pct, as in the features' signature; a squashed image is shown in its own proportions.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")
        if fit == "crop":
            side = max(1, round(crop_pct * min(image.size)))
            image = ImageOps.fit(image, (side, side), bleed=0.5 - 0.5 * crop_pct)
        elif fit == "pad":
            image = ImageOps.pad(image, 2 * (max(image.size),), color="white")
        image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)
