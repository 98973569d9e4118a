"""Pictures of attention, and its part of the report."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from results import write_attention
from vltune.report import faithfulness
from vltune.report.attention import Panel, draw, picture
from vltune.report.report import report

WEIGHTS = np.array([0.6, 0.01, 0.1, 0.02, 0.05, 0.02])
WHITE = np.full((90, 120, 3), 255, dtype=np.uint8)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def orange(path: Path) -> np.ndarray:
    """Where a picture is clearly orange: rows and columns [pixels, 2], as shares of its height and width."""
    red, green, blue = np.moveaxis(pixels(path), -1, 0)
    return np.argwhere((red > 180) & (blue < 120) & (red - green > 60)) / red.shape


def test_the_strongest_cell_is_orange_and_a_sink_is_not(tmp_path: Path) -> None:
    grid = WEIGHTS[:4]  # the first cell is the strongest, then the third, below it
    draw(tmp_path / "sink.png", [Panel("tent", WHITE, grid)], 1, 4, sink=True)
    draw(tmp_path / "plain.png", [Panel("tent", WHITE, grid)], 1, 4, sink=False)
    third, first = orange(tmp_path / "sink.png"), orange(tmp_path / "plain.png")
    assert len(third) == pytest.approx(len(first), rel=0.1)
    assert len(first) > 1000
    assert third[:, 1].max() < 0.55
    assert first[:, 1].max() < 0.55
    assert first[:, 0].max() < third[:, 0].min() + 0.02


def test_a_picture_repeats_bit_for_bit_and_titles_are_plain_text(tmp_path: Path) -> None:
    panels = [Panel(title, WHITE, WEIGHTS) for title in ("$", "_^{", "a$b$", "\x18", "日本")]
    for name in ("first.png", "second.png"):
        draw(tmp_path / name, panels, 3, 4, sink=True)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert pixels(tmp_path / "first.png").shape[0] > pixels(tmp_path / "first.png").shape[1] / 2


def test_the_bars_of_extra_tokens_are_grey(tmp_path: Path) -> None:
    weights = np.array([0.0, 0.0, 0.0, 0.0, 0.5, 0.3])  # an extra token and a tag
    draw(tmp_path / "tags.png", [Panel("tent", WHITE, weights)], 1, 4, sink=False)
    draw(tmp_path / "extra.png", [Panel("tent", WHITE, weights)], 1, 4, sink=False, extras=1)
    both, tag = orange(tmp_path / "tags.png"), orange(tmp_path / "extra.png")
    assert 100 < len(tag) < 0.6 * len(both)  # the shorter bar
    assert tag[:, 1].min() > both[:, 1].min()  # the right one


@pytest.mark.parametrize(("fit", "share", "size", "corner"), [
    ("squash", 1.0, (50, 100), "red"), ("crop", 1.0, (50, 50), "lime"), ("crop", 0.5, (25, 25), "lime"),
    ("pad", 1.0, (100, 100), "white")])
def test_the_picture_is_what_the_encoder_sees(
    tmp_path: Path, fit: str, share: float, size: tuple[int, int], corner: str
) -> None:
    image = Image.new("RGB", (100, 50), "red")
    image.paste("lime", (25, 0, 75, 50))  # the square in the centre
    image.save(tmp_path / "wide.png")
    shown = picture(tmp_path / "wide.png", fit, share)
    assert shown.shape == (*size, 3)
    assert tuple(shown[0, 0]) == ImageColor.getrgb(corner)
    assert tuple(shown[size[0] // 2, size[1] // 2]) == ImageColor.getrgb("lime")


@pytest.mark.usefixtures("workspace", "uncharted")
def test_the_report_has_the_table_the_figure_and_the_verdict() -> None:
    write_attention("lora")
    flat = {name: np.random.default_rng(1).normal(1, 1, 40) for name in (
        "random", "attention_highest", "attention_lowest", "attention_elsewhere", "gradient_highest",
        "gradient_lowest")}
    write_attention("prefix", drops=flat | {name: flat["random"][::-1] for name in flat if "highest" in name})
    report(["lora", "prefix"], ["caption"], [0])
    with Path("metrics/attention.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["attribution"], row["against"]) for row in rows[:3]] == [
        ("lora", "attention", against) for against in ("random", "lowest", "elsewhere")]
    page = re.sub(r"\s+", " ", Path("plots/report.html").read_text())
    assert "Captions: attention is a faithful explanation by this check for lora; it is not shown to be a " \
           "faithful explanation for prefix." in page
    assert "attention: against another image" in page
    assert len(orange(Path("plots/attention.png"))) > 500
    first = Path("plots/attention.png").read_bytes()
    report(["lora", "prefix"], ["caption"], [0])
    assert Path("plots/attention.png").read_bytes() == first


@pytest.mark.usefixtures("workspace", "uncharted")
def test_without_attention_the_files_are_there_and_the_page_is_silent() -> None:
    report(["lora", "prefix"], ["caption"], [0])
    assert len(Path("metrics/attention.csv").read_text().splitlines()) == 1
    assert Path("plots/attention.png").is_file()
    assert "<h2>Attention</h2>" not in Path("plots/report.html").read_text()


def test_a_sentence_says_what_is_not_shown() -> None:
    rows = [{"task": "vqa", "method": "lora", "attribution": attribution, "against": against,
             "verdict": verdict}
            for attribution, verdict in (("attention", "less"), ("gradient", "more"))
            for against in ("random", "lowest")]
    assert faithfulness.sentences(rows) == [
        "Questions: attention is not shown to be a faithful explanation for lora.",
        "Questions: gradient times input is a faithful explanation by this check for lora."]
