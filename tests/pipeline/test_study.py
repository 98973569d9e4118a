"""`vltune study` on the tiny graph: killed in the middle it loses nothing, and its tables need no data."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from contracts.graph import ROOT
from pipeline.conftest import Project, fresh
from pipeline.test_kill import trainers, until
from vltune.pipeline.files import read_json

STUDY = """title: A tiny study
source: drawn scenes
params: {train.steps: 120, train.evaluations: 4, attention.images: 1}
methods: [lora, connector]
tasks: [vqa]
seeds: [0, 1]
"""
STATE = ".work/connector-vqa-0/*/state.safetensors"
LIMIT_S = 600  # of a call, seconds in all on an idle machine
NAMES = [f"default-{method}-vqa-{seed}" for seed in (0, 1) for method in ("lora", "connector")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The tiny graph with a study; nothing has run."""
    project = fresh(tmp_path / "vltune")
    (project.folder / "results/tiny.yaml").write_text(STUDY)
    project.commit()
    return project


def command(*options: str) -> list[str]:
    vltune = [sys.executable, "-m", "vltune.cli", "study", "results/tiny.yaml"]
    return ["env", f"PYTHONPATH={ROOT / 'src'}", *vltune, *options]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def test_killed_resumed_and_tabulated_without_data(project: Project) -> None:
    clone, runs = project.folder / ".work/studies/tiny", project.folder / "results/runs/tiny"
    running = Project(clone)
    with project.start(*command()) as study:
        try:
            until(lambda: list(clone.glob(STATE)), "a second training", LIMIT_S)
            study.send_signal(signal.SIGSTOP)
            for trainer in trainers(running):
                os.kill(trainer, signal.SIGSTOP)  # or it may be through before its parent is gone
        finally:
            study.kill()
    until(lambda: not trainers(running), "the trainer to end with the study", 20)
    first = contents(runs)
    assert list(first) == NAMES[:1]

    output = project.run(*command())
    assert "default-lora-vqa-0:" not in output, "a finished run is not made again"
    assert "resuming from step" in output
    finished = contents(runs)
    assert sorted(finished) == sorted(NAMES)
    assert finished[NAMES[0]] == first[NAMES[0]]
    run = read_json(runs / f"{NAMES[1]}.json")
    assert (run["training"]["steps"], len(run["curve"]["step"])) == (120, 4)
    assert run["commit"] == project.run("git", "rev-parse", "HEAD").strip()
    assert not list(clone.glob("models/connector/*")), "scores are kept, not checkpoints"
    page = project.folder / "results/tiny.md"
    assert "4 of 4 runs are finished" in page.read_text()
    assert "To make: 0 hours" in project.run(*command("--dry-run"))

    made = [page.read_bytes(), page.with_suffix(".csv").read_bytes()]
    page.unlink()
    page.with_suffix(".csv").unlink()
    for folder in (".work", ".dvc/cache"):  # the data, the models and the predictions
        shutil.rmtree(project.folder / folder)
    project.run(*command("--tables"))
    assert [page.read_bytes(), page.with_suffix(".csv").read_bytes()] == made
