"""The page of `dvc plots` in a real browser: every chart and picture is drawn, of each revision, and fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dvc_render.html import render_html
from dvc_render.image import ImageRenderer
from dvc_render.vega import VegaRenderer

import browser
from contracts.graph import ROOT
from unit.report import conftest as made
from vltune.pipeline.params import read

LOOK = """
  if (document.readyState === "loading")
    await new Promise((resolve) => addEventListener("DOMContentLoaded", () => setTimeout(resolve)));
  const cards = [...document.querySelectorAll("main > div:not([hidden])")];
  const until = Date.now() + 8000;
  while (cards.some((card) => !card.querySelector("summary")) && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 &&
    a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const look = (card) => {
    const level = [...card.querySelectorAll("svg text")].filter(
      (text) => text.textContent && !(text.getAttribute("transform") ?? "").includes("rotate")
        && text.getAttribute("opacity") !== "0");
    const boxes = level.map((text) => [text.textContent, text.getBoundingClientRect()]);
    const frame = card.getBoundingClientRect();
    const button = card.querySelector("summary").getBoundingClientRect();
    return {
      title: card.querySelector("h2").textContent,
      texts: [...card.querySelectorAll("svg text")].map((text) => text.textContent),
      outside: boxes.filter(([, box]) => box.left < frame.left || box.right > frame.right)
        .map(([text]) => text),
      overlapping: boxes.flatMap(([text, box], i) => boxes.slice(i + 1)
        .filter(([, other]) => overlap(box, other)).map(([other]) => [text, other])),
      button: boxes.filter(([, box]) => overlap(box, button)).length,
    };
  };
  const images = [...document.images];
  return {
    cards: cards.map(look), widths: [document.body.clientWidth, document.body.scrollWidth],
    note: document.body.innerText,
    images: images.length, broken: images.filter((image) => !image.naturalWidth).length,
    background: getComputedStyle(document.body).backgroundColor,
  };
"""
DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made.write_captions(folder)
    made.write_questions(folder)
    made.write_report(folder)
    return folder / "plots"


def rows(folder: Path, file: str, revisions: list[str]) -> list[dict[str, Any]]:
    """The points of a file as DVC gives them to a template, the newest revision first; in others a method is
    missing."""
    points = json.loads((folder.parent / file).read_text())
    return [row | {"rev": revision} for revision in revisions for row in points
            if revision == "workspace" or row["method"] != "connector"]


def draw(folder: Path, page: Path, revisions: list[str]) -> Path:
    """Make the page as `dvc plots` does."""
    renderers = []
    for plot in read(ROOT / "dvc.yaml")["plots"]:
        if isinstance(plot, str):
            for file in sorted((folder.parent / plot).iterdir()):
                sources = [{"rev": name, "src": file.as_uri()} for name in revisions]
                renderers.append(ImageRenderer(sources, file.name))
            continue
        [(name, properties)] = plot.items()
        [(file, y)] = properties["y"].items()
        properties |= {"y": y, "template_dir": str(ROOT / ".dvc/plots")}
        renderers.append(VegaRenderer(rows(folder, file, revisions), name, **properties))
    render_html(renderers, page, ROOT / ".dvc/plots/offline.html")
    return page


@browser.needed
@pytest.mark.parametrize("revisions", [["workspace"], ["workspace", "HEAD"]], ids=len)
@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_every_plot_is_drawn_and_fits(
    reported: Path, tmp_path: Path, width: int, revisions: list[str],
) -> None:
    page = draw(reported, tmp_path / "index.html", revisions)
    narrow = f'<body style="width: calc({width}px - 2rem)">'  # a window cannot be narrower than 500 pixels
    page.write_text(page.read_text().replace("<body>\n<header>", f"{narrow}\n<header>"))
    size = (f"--window-size={width},900", "--hide-scrollbars")
    result, console = browser.run(page, LOOK, tmp_path, *size)
    assert "error" not in result, result
    assert not [line for line in console if "rror" in line]
    assert result["widths"] == [width, width]
    assert len(result["cards"]) == 7
    for card in result["cards"]:
        assert card["texts"], card["title"]
        assert not card["outside"], card["title"]
        assert not card["overlapping"], card["title"]
        assert not card["button"], card["title"]
    assert (result["images"], result["broken"]) == (12 * len(revisions), 0)
    bars = result["cards"][0]["texts"]
    several = len(revisions) > 1
    assert ("lora · HEAD" in bars) == ("lora · workspace" in bars) == several
    assert ("lora" in bars) != several
    assert ("HEAD: paler, dashed or hollow" in result["note"]) == several


@browser.needed
def test_a_task_that_is_not_compared_leaves_no_gap(
    reported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = rows
    monkeypatch.setitem(globals(), "rows", lambda folder, file, revisions: [
        row for row in given(folder, file, revisions) if row["task"] == "caption"])
    page = draw(reported, tmp_path / "index.html", ["workspace"])
    result, console = browser.run(page, LOOK, tmp_path)
    assert not [line for line in console if "rror" in line]
    assert [card["title"] for card in result["cards"]] == [
        "CIDEr on the test images", "CIDEr against the trained share", "Loss of captions by training step"]


@browser.needed
def test_it_follows_the_readers_theme(reported: Path, tmp_path: Path) -> None:
    page = draw(reported, tmp_path / "index.html", ["workspace"])
    light, _ = browser.run(page, LOOK, tmp_path)
    dark, _ = browser.run(page, LOOK, tmp_path, DARK)
    assert light["background"] == "rgb(246, 247, 249)"
    assert dark["background"] == "rgb(21, 24, 28)"
