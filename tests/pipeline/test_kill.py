"""SIGKILL during a training: no process is left, and the next `dvc repro` ends in the same bytes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from pipeline.conftest import Project, hashes

STEPS = 300  # long enough to be killed in the middle, seconds in all
STAGE = "train_lora@caption-0"


def trainers(project: Project) -> list[int]:
    """The processes that train in this project."""
    processes = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and b"stages/train.py" in (process / "cmdline").read_bytes() and \
                    (process / "cwd").resolve() == project.folder:
                processes.append(int(process.name))
        except OSError:  # it has just ended, or is another user's
            continue
    return processes


def until(condition, what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def uninterrupted(whole: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    project = whole.copy(tmp_path_factory.mktemp("uninterrupted") / "vltune")
    project.set("train", steps=STEPS)
    project.run("dvc", "repro", STAGE)
    return hashes(project)


@pytest.mark.parametrize("victims", [("dvc",), ("trainer",), ("trainer", "dvc")], ids="+".join)
def test_a_killed_training_resumes(project: Project, uninterrupted: dict[str, str],
                                   victims: tuple[str, ...]) -> None:
    project.set("train", steps=STEPS)
    dvc = project.start("dvc", "repro", STAGE)
    state = project.folder / ".work/lora-caption-0"
    until(lambda: list(state.glob("*/state.safetensors")), "a checkpoint")
    running = trainers(project)
    assert running, project.log()
    for trainer in running:
        os.kill(trainer, signal.SIGSTOP)  # or it may be through before its parent is gone
    if "dvc" in victims:
        dvc.send_signal(signal.SIGSTOP)  # or a kill while it writes its locks may leave them empty
    if "trainer" in victims:
        for trainer in running:
            os.kill(trainer, signal.SIGKILL)
    if "dvc" in victims:
        dvc.kill()
    dvc.wait(60)
    until(lambda: not trainers(project), "the trainer to end", 10)
    assert list(state.glob("*/state.safetensors"))
    output = project.run("dvc", "repro", STAGE)
    assert "resuming from step" in output
    assert hashes(project) == uninterrupted
    assert not list(state.glob("*/state.safetensors"))
