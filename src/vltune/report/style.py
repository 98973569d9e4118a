"""The look that all charts share: colours, markers, and matplotlib's settings."""

from __future__ import annotations

import pandas as pd

# Okabe and Ito's palette, which people with any colour vision tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
INK, GRID = "#222222", "#e4e4e4"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
    "figure.dpi": 140,
    "savefig.dpi": 140,
}


def colours(table: pd.DataFrame) -> dict[str, str]:
    """Give each method its colour, by its position in the table."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(table["method"].unique())}


def marks(table: pd.DataFrame) -> dict[str, str]:
    """Give each method its marker, by its position in the table."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(table["method"].unique())}
