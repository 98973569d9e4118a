"""The environments of trainings: each is recorded once, and the same machine gives the same one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vltune.pipeline import environment
from vltune.pipeline.files import read_json, write_json

HERE = {"cpu": "A", "threads": 2, "torch": "2.14.1"}


def test_environments_are_gathered_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run, threads in (("full/caption-0", 2), ("lora/caption-0", 1), ("lora/caption-1", 2)):
        write_json(
            Path(f"data/resources/{run}.json"),
            {"train_seconds": 1.0, "environment": HERE | {"threads": threads}},
        )
    write_json(Path("data/resources/old/caption-0.json"), {"train_seconds": 1.0})
    environment.gather()
    assert read_json(environment.GATHERED) == [HERE | {"runs": ["full/caption-0", "lora/caption-1"]},
                                               HERE | {"threads": 1, "runs": ["lora/caption-0"]}]


def test_an_environment_repeats_on_one_machine() -> None:
    found = environment.describe(2, "cpu", 1)
    assert found == environment.describe(2, "cpu", 1)
    assert {"cpu", "threads", "processes", "device", "python", "torch", "timm", "numpy"} <= set(found)
