"""The report's page in a real browser: filters, sorting, values under the pointer, and that it fits."""

from __future__ import annotations

from pathlib import Path

import pytest

import browser
from unit.report import conftest as made

WIDTHS = (390, 1440, 2560)
SET = """
  const form = document.getElementById("filters");
  const set = (name, value) => {
    form.elements[name].value = value;
    form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
  };
  const visible = (selector) => [...document.querySelectorAll(selector)].filter((part) => part.offsetParent);
  const cards = () => visible(".card");
  const scores = (task, method) => cards().map((card) => JSON.parse(card.dataset.scores)[task][method]);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made.write_captions(folder)
    made.write_questions(folder)
    return made.write_report(folder)


@browser.needed
def test_filters_and_orders_show_what_they_say(page: Path, tmp_path: Path) -> None:
    result, errors = browser.run(page, SET + """
      const broken = [...document.images].filter((image) => !image.naturalWidth).length;
      const seen = { first: cards().length, broken };
      set("method", "lora");
      seen.methods = [...new Set(visible(".card li[data-method]").map((line) => line.dataset.method))];
      set("order", "best");
      seen.best = scores("caption", "lora");
      set("order", "worst");
      seen.worst = scores("caption", "lora");
      set("least", "2"); set("most", "2.5");
      seen.between = scores("caption", "lora");
      set("least", ""); set("most", ""); set("method", ""); set("order", "disagreement");
      seen.apart = cards().map((card) => JSON.parse(card.dataset.disagreement).caption);
      set("order", "random");
      seen.random = cards().length;
      document.getElementById("further").click();
      seen.further = cards().length;
      set("text", "three kites");
      seen.kites = cards().every((card) => card.textContent.includes("three kites")) && cards().length;
      form.reset();
      await new Promise((resolve) => setTimeout(resolve, 50));
      set("task", "vqa");
      seen.questions = ["vqa", "caption"].map((task) => visible(`.card [data-task=${task}]`).length > 0);
      seen.answers = visible("#filters [name=answers]").length;
      set("answers", "right");
      seen.right = cards().length;
      set("answers", "wrong");
      seen.wrong = cards().length;
      return seen;
    """, tmp_path)
    assert errors == []
    assert (result["first"], result["broken"], result["random"], result["further"]) == (12, 0, 12, 24)
    assert result["methods"] == ["lora"]
    assert result["best"] == sorted(result["best"], reverse=True)
    assert result["worst"] == sorted(result["worst"])
    assert result["worst"][0] < result["best"][-1]
    assert result["between"]
    assert all(2 <= score <= 2.5 for score in result["between"])
    assert result["apart"] == sorted(result["apart"], reverse=True)
    assert result["kites"] > 0
    assert result["questions"] == [True, False]
    assert (result["answers"], result["right"], result["wrong"]) == (1, 0, 12), "no answer here is right"


@browser.needed
def test_a_click_on_a_head_sorts_and_a_second_one_reverses(page: Path, tmp_path: Path) -> None:
    result, errors = browser.run(page, """
      const table = document.querySelector(".main table");
      const text = (cell) => cell.firstChild?.textContent ?? "";
      const column = (i) => [...table.tBodies[0].rows].map((row) => text(row.cells[i]));
      const click = (i) => { table.querySelectorAll("th button")[i].click(); return column(i); };
      return { up: click(1), down: click(1), names: click(0), words: click(3),
               sorted: table.querySelectorAll("[aria-sort]").length };
    """, tmp_path)
    assert errors == []
    numbers = [float(text) for text in result["up"]]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 1
    assert result["down"] == result["up"][::-1]
    assert result["names"] == sorted(result["names"])
    assert result["words"][-2:] == ["", ""], "empty cells last"
    assert result["sorted"] == 1


@browser.needed
def test_a_value_is_shown_under_the_pointer(page: Path, tmp_path: Path) -> None:
    result, errors = browser.run(page, """
      const mark = document.querySelector(".lead .value");
      const { left, top } = mark.getBoundingClientRect();
      const move = (target) => target.dispatchEvent(
        new PointerEvent("pointermove", { bubbles: true, clientX: left + 2, clientY: top + 2 }));
      move(mark.querySelector("path"));
      const shown = document.getElementById("tip").hidden ? "" : document.getElementById("tip").textContent;
      move(document.body);
      return { shown, hidden: document.getElementById("tip").hidden };
    """, tmp_path)
    assert errors == []
    assert result["shown"].startswith("adapter: CIDEr 2.310 (")
    assert result["hidden"]


@browser.needed
def test_it_fits_into_every_width(page: Path, tmp_path: Path) -> None:
    """Each width is that of a frame; no part of the page, and no table with all details open, is wider."""
    result, errors = browser.run(page, f"""
      const source = document.documentElement.outerHTML.replace(/<script>[^]*?<\\/script>/g, "");
      const cut = (part) => part.scrollWidth > part.clientWidth + 1;
      const wide = {{}};
      for (const width of {list(WIDTHS)}) {{
        const frame = document.createElement("iframe");
        frame.style.cssText = `width: ${{width}}px; height: 900px; border: 0`;
        document.body.append(frame);
        frame.contentDocument.write(source);
        frame.contentDocument.close();
        const inner = frame.contentDocument;
        for (const details of inner.querySelectorAll("details")) details.open = true;
        const tables = [...inner.querySelectorAll(".scroll")];
        wide[width] = [inner.documentElement.scrollWidth, tables.filter(cut).length, tables.length];
        frame.remove();
      }}
      return wide;
    """, tmp_path)
    assert errors == []
    for width in WIDTHS:
        total, cut, tables = result[str(width)]
        assert total <= width
        assert cut == 0, f"{cut} tables are cut off at {width} pixels"
        assert tables > 10
