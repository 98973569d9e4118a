"""Trainings of one task or of both: what is listed by task, and files that hold both tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.tasks import JOINT, by_task, joined, read_of_task


def test_each_task_has_one_training() -> None:
    assert by_task(["vqa", "caption"], "here") == {"vqa": "vqa", "caption": "caption"}
    assert by_task([JOINT], "here") == {"caption": JOINT, "vqa": JOINT}
    with pytest.raises(InputError, match=r"here holds 'caption' and 'caption\+vqa', which are both"):
        by_task(["caption", JOINT], "here")
    with pytest.raises(InputError, match=r"unknown task 'vqa\+caption'.*expected caption, vqa, caption\+vqa"):
        by_task(["vqa+caption"], "here")


def test_a_file_of_both_tasks_is_read_as_two(tmp_path: Path) -> None:
    write_json(tmp_path / "both.json", joined({"caption": [1], "vqa": [2]}))
    write_json(tmp_path / "alone.json", joined({"vqa": [2]}))
    assert read_of_task(tmp_path / "both.json", "caption") == [1]
    assert read_of_task(tmp_path / "both.json", "vqa") == read_of_task(tmp_path / "alone.json", "vqa") == [2]
