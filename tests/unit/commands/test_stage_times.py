"""What is left of a run of the pipeline, from the times of earlier ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.graph import ROOT
from vltune.commands import stage_times
from vltune.commands.stage_times import Remaining, expected, words
from vltune.pipeline.errors import InputError

KNOWN = {"fetch": 30.0, "train_lora@caption-0": 80.0, "train_lora@vqa-0": 60.0, "train_full@caption-0": 120.0}


@pytest.mark.parametrize(("stage", "seconds"), [
    ("train_lora@caption-0", 80.0), ("train_lora@caption-1", 70.0), ("train_dora@caption-0", 260 / 3),
    ("report", None),
])
def test_a_stage_takes_what_it_took_or_what_others_like_it_took(stage: str, seconds: float | None) -> None:
    assert expected(stage, KNOWN) == seconds


def test_the_rest_is_known_only_if_all_of_it_is() -> None:
    assert Remaining(KNOWN, KNOWN).seconds == 290
    assert Remaining([*KNOWN, "report"], KNOWN).seconds is None
    assert Remaining(KNOWN, {}).seconds is None
    assert Remaining([], {}).seconds == 0


def test_the_rest_follows_the_speed_of_the_stages_that_ran() -> None:
    remaining = Remaining(KNOWN, KNOWN)
    remaining.finish("fetch", 60.0)
    assert remaining.seconds == 2 * 260
    remaining.finish("train_full@caption-0", None)  # it did not have to run, which tells nothing of the speed
    assert remaining.seconds == 2 * 140
    assert remaining.measured == {"fetch": 60.0}


def test_a_short_stage_tells_no_speed() -> None:
    remaining = Remaining({"summary": 1.0, "fetch": 30.0}, {"summary": 1.0, "fetch": 30.0})
    remaining.finish("summary", 5.0)
    assert remaining.seconds == 30


@pytest.mark.parametrize(("seconds", "text"), [
    (12, "less than a minute"), (70, "about a minute"), (840, "about 14 minutes"), (9000, "about 2 h 30 min"),
])
def test_durations_in_words(seconds: float, text: str) -> None:
    assert words(seconds) == text


def test_times_measured_here_come_before_the_committed_ones(tmp_path: Path) -> None:
    assert stage_times.read(tmp_path) == {}
    committed = tmp_path / stage_times.COMMITTED
    committed.parent.mkdir()
    committed.write_text("stage,seconds\nfetch,30.0\nreport,3.0\n")
    stage_times.record({"fetch": 12.0}, tmp_path)
    stage_times.record({"summary": 1.5}, tmp_path)
    assert stage_times.read(tmp_path) == {"fetch": 12.0, "report": 3.0, "summary": 1.5}


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / stage_times.OWN
    path.parent.mkdir()
    path.write_text("stage,seconds\nfetch,long\n")
    with pytest.raises(InputError, match=r"stage_seconds.csv: row 1: expected numbers"):
        stage_times.read(tmp_path)


def test_the_committed_times_are_of_this_graph() -> None:
    seconds = stage_times.read(ROOT)
    for stage in ("fetch", "preprocess", "align@caption", "predict@lora-vqa-0", "evaluate_aligned@caption"):
        assert expected(stage, seconds)
