"""The picture grid of `dvc plots`: a few test images, each with its references and every method's caption,
or with a question and every method's answer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten, wrap

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from vltune.comparison.runs import Run
from vltune.pipeline.files import replaced, whole
from vltune.pipeline.records import evenly
from vltune.report.cards import Card, Output, cards
from vltune.report.gallery import FOLDER
from vltune.report.style import INK, STYLE

COUNT = 12
WIDTH, PICTURE = 3.4, 2.0  # inches of a tile and of the image in it
LINE, MARGIN = 0.17, 0.12  # inches
LETTERS = 52  # of a line
LONGEST = 120  # letters of a text
COLOURS = 128
MUTED = "#666666"


def write(folder: Path, runs: list[Run]) -> None:
    """Write a PNG for each of a few test images, at equal distances in the list; where there are no
    predictions, none.

    Raises:
        InputError: a predictions file is of the wrong form.
    """
    style = {**mpl.rcParamsDefault, "backend": "agg", **STYLE}
    with replaced(folder) as part, mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box is drawn for a character without one
        for card in evenly(cards(runs), COUNT):
            _tile(part / f"{Path(card.file_name).stem}.png", card)


def _tile(path: Path, card: Card) -> None:
    """Draw one image above its texts."""
    lines = [(line, colour) for text, colour in _texts(card) for line in wrap(text, LETTERS)]
    height = PICTURE + LINE * len(lines) + 3 * MARGIN
    tile = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(tile)
    axes = tile.add_axes((0, 1 - (PICTURE + MARGIN) / height, 1, PICTURE / height))
    axes.axis("off")
    if (FOLDER / card.file_name).is_file():
        with Image.open(FOLDER / card.file_name) as image:
            image.thumbnail((280, 280), Image.Resampling.LANCZOS)
            axes.imshow(image.convert("RGB"))
    for number, (line, colour) in enumerate(lines):
        top = 1 - (PICTURE + 2 * MARGIN + LINE * number) / height
        tile.text(MARGIN / WIDTH, top, line, va="top", fontsize=8, color=colour, parse_math=False)
    content = io.BytesIO()
    tile.savefig(content)
    with whole(path) as part, Image.open(content) as drawn:
        drawn.convert("RGB").quantize(COLOURS).save(part, "PNG", optimize=True)  # a third of the bytes


def _texts(card: Card) -> Iterator[tuple[str, str]]:
    """Give what stands below the image, paragraph by paragraph, with its colour."""
    if card.captions:
        yield f"reference: {card.references[0] if card.references else 'none'}", MUTED
        yield from _outputs(card.captions)
    for asked in list(card.questions.values())[:1]:
        yield f"{asked.question} ({asked.right})", MUTED
        yield from _outputs(asked.outputs)


def _outputs(outputs: list[Output]) -> Iterator[tuple[str, str]]:
    """Give each method's text; methods that say the same stand together."""
    methods: dict[str, list[str]] = {}
    for output in outputs:
        methods.setdefault(output.text, []).append(output.method)
    for text, names in methods.items():
        yield f"{', '.join(names)}: {shorten(text, LONGEST, placeholder=' ...') or '(nothing)'}", INK
