"""The rating page in a real browser: what is clicked is in the file that the command reads."""

from __future__ import annotations

from pathlib import Path

import pytest

import browser
from unit.commands.test_rate import sheet
from vltune.commands import rating_files

PRESS = """
  const fieldsets = [...document.querySelectorAll("fieldset")];
  const press = (fieldset, i) => fieldset.querySelectorAll("input")[i % 5].click();
"""
NAME = """
  document.getElementById("rater").value = "Anna B.";
  document.getElementById("rater").dispatchEvent(new Event("input", { bubbles: true }));
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    return sheet(tmp_path, monkeypatch)


@browser.needed
def test_every_click_is_in_the_saved_file(made, tmp_path: Path) -> None:
    page, key = made
    result, errors = browser.run(page, PRESS + """
      document.getElementById("save").click();
      const unnamed = document.getElementById("note").textContent;
    """ + NAME + """
      fieldsets.forEach(press);
      const hidden = document.querySelectorAll(".image:not(.shown)").length;
      document.getElementById("save").click();
      return { unnamed, hidden, note: document.getElementById("note").textContent,
               broken: [...document.images].filter((image) => !image.naturalWidth).length };
    """, tmp_path)
    assert errors == []
    assert result["unnamed"].startswith("Enter your name")
    assert result["note"].startswith("Saved. All ratings are there")
    assert (result["broken"], result["hidden"]) == (0, len({row.image for row in key.rows}) - 1)
    [answers] = rating_files.read_answers([tmp_path / "ratings-Anna-B.csv"], key)
    assert answers.rater == "Anna B."
    count = len(key.rows)
    assert answers.ratings["correctness"].tolist() == [2 * i % 5 + 1 for i in range(count)]
    assert answers.ratings["detail"].tolist() == [(2 * i + 1) % 5 + 1 for i in range(count)]


@browser.needed
def test_partial_work_survives_a_reload(made, tmp_path: Path) -> None:
    page, _ = made
    result, errors = browser.run(page, PRESS + """
      if (!sessionStorage.getItem("again")) {
        sessionStorage.setItem("again", "yes");
    """ + NAME + """
        fieldsets.slice(0, 3).forEach(press);
        document.querySelector(".bar .next").click();
        location.reload();
        return undefined;
      }
      document.getElementById("save").click();
      return { progress: document.getElementById("progress").textContent, rater: state.rater, at: state.shown,
               chosen: fieldsets.slice(0, 4).map((one) => one.querySelector(":checked")?.value ?? ""),
               note: document.getElementById("note").textContent };
    """, tmp_path)
    assert errors == []
    assert result["rater"] == "Anna B."
    assert result["chosen"] == ["1", "2", "3", ""]
    assert "ratings are still missing" in result["note"]
    assert result["at"] == 0, "saving goes to the first image that lacks a rating"
    assert " 3 of " in result["progress"]
