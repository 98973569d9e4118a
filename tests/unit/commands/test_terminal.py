"""What a comparison looks like in a terminal."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from vltune.commands import terminal

WORDS = "lora is better than prefix, prefix is worse; equivalent: a and b; undecided: c. Undecided: see it."


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with colours, as rich takes it from the environment."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("colours")
def test_words_of_verdicts_have_colours(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(WORDS)
    shown = capsys.readouterr().out
    coloured = re.findall(r"\x1b\[(\d+)m(\w+)\x1b\[0m", shown)
    assert coloured == [("32", "better"), ("31", "worse"), ("36", "equivalent"), ("33", "undecided"),
                        ("33", "Undecided")]
    assert re.sub(r"\x1b\[\d+m", "", shown) == WORDS


@pytest.mark.usefixtures("colours")
def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.show(WORDS)
    assert capsys.readouterr().out == WORDS


def test_a_pipe_has_no_colour_and_no_other_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    long = "undecided " * 30 + "[bold] 1,234\n"
    terminal.show(long)
    assert capsys.readouterr().out == long


def test_a_wide_table_is_continued_below() -> None:
    numbers = {f"metric {i}": ["0.123 (0.1 to 0.2)", "10.123 (9.0 to 11.2)"] for i in range(6)}
    lines = terminal.table(pd.DataFrame({"method": ["lora", "ad"], "against": ["full", "full"]} | numbers))
    blocks = [block.splitlines() for block in lines.split("\n\n")]
    assert len(blocks) == 2
    for block in blocks:
        assert [line.split()[0] for line in block] == ["method", "lora", "ad"]
        assert [line.split()[1] for line in block] == ["against", "full", "full"]
        assert max(map(len, block)) <= terminal.WIDTH
    assert re.findall(r"metric \d", lines) == list(numbers)


def test_a_table_that_fits_is_left_whole() -> None:
    assert terminal.table(pd.DataFrame({"method": ["lora"], "p": ["0.1"]})) == "method    p\nlora    0.1"
