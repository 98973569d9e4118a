"""Two processes under torchrun compute what one does; one that is killed ends the run, which then resumes."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pandas as pd
import pytest

from pipeline.conftest import Project, hashes, stages_in
from pipeline.test_kill import trainers, until

STEPS = 200  # long enough to be killed in the middle
STAGE = "train_lora@caption-0"
TOLERANCE = 1e-4  # relative, of losses in float32 after a few steps: the order of sums differs
PREDICTED = ["preprocess", "predict@lora-caption-0", "predict@lora-vqa-0"]


def losses(project: Project) -> dict[str, list[float]]:
    table = pd.read_csv(project.folder / "plots/curves/lora/caption-0.tsv", sep="\t")
    return {name: table[name].dropna().tolist() for name in ("loss", "val_loss")}


def resources(project: Project) -> dict:
    return json.loads((project.folder / "data/resources/lora/caption-0.json").read_text())


def workers(project: Project) -> list[int]:
    """The processes that torchrun has started; it runs Python unbuffered."""
    def command(pid: int) -> list[bytes]:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")

    return [pid for pid in trainers(project) if b"-u" in command(pid)]


def test_two_processes_compute_what_one_does(project: Project) -> None:
    before = hashes(project)
    project.set("preprocess", batch_size=3)  # 24, 6 and 8 images: 8, 2 and 3 batches
    project.set("predict", batch_size=3)
    project.set("train", precision="float32", batch_size=4, evaluations=2)
    project.run("dvc", "repro", *PREDICTED, STAGE)
    single, curve = hashes(project), losses(project)
    assert single != before
    project.set("launch", processes=2)
    assert json.loads(project.run("dvc", "status", "--json")).keys().isdisjoint({*PREDICTED, STAGE})
    assert stages_in(project.run("dvc", "repro", "-f", "-s", *PREDICTED)) == PREDICTED
    assert hashes(project) == single  # features, captions, answers and attention, byte for byte
    project.run("dvc", "repro", "-f", "-s", STAGE)
    for name, expected in curve.items():
        assert losses(project)[name] == pytest.approx(expected, rel=TOLERANCE), name
    assert resources(project)["environment"]["processes"] == 2
    assert not list(project.folder.glob("data/features/.*"))


def test_a_killed_process_ends_the_run_in_a_line_and_the_next_run_resumes(project: Project) -> None:
    project.set("launch", processes=2)
    project.set("train", steps=STEPS)
    dvc = project.start("dvc", "repro", STAGE)
    state = project.folder / ".work/lora-caption-0"
    until(lambda: list(state.glob("*/state.safetensors")), "a saved state", 240)
    os.kill(max(workers(project)), signal.SIGKILL)
    assert dvc.wait(120) != 0
    until(lambda: not trainers(project), "all processes to end", 60)
    assert len(re.findall(r"^error: process \d was ended by SIGKILL", project.log(), re.MULTILINE)) == 1
    assert "Traceback" not in project.log()
    assert "resuming from step" in project.run("dvc", "repro", STAGE)
    resumed = hashes(project)
    project.run("dvc", "repro", "-f", "-s", STAGE)
    assert hashes(project) == resumed


def test_wrong_input_is_said_once(project: Project) -> None:
    project.set("launch", processes=2)
    project.set("train", batch_size=1)
    dvc = project.start("dvc", "repro", STAGE)
    assert dvc.wait(120) != 0
    line = (r"error: params\.yaml: train\.batch_size = 1: a step is computed by 2 processes in "
            r"train\.accumulate = 1 parts each; give it at least an image for each part")
    assert len(re.findall(line, project.log())) == 1
    assert "Traceback" not in project.log()


def test_two_machines_train_together(project: Project) -> None:
    """Two starts of the stage with torchrun's own variables stand for two machines with a shared folder."""
    project.set("train", precision="float32", batch_size=4)
    project.run("dvc", "repro", STAGE)
    curve = losses(project)
    for name in ("models/lora/caption-0", "data/resources/lora", "plots/curves/lora"):
        project.run("rm", "-r", name)
    join = "PET_NNODES=2 PET_RDZV_BACKEND=c10d PET_RDZV_ENDPOINT=localhost:29613 PET_RDZV_ID=test"
    command = f"env {join} python stages/train.py --method lora --task caption --seed 0"
    project.run("sh", "-c", f"{command} & {command} && wait $!")
    project.run("dvc", "commit", "--force", STAGE)
    assert STAGE not in json.loads(project.run("dvc", "status", "--json"))
    assert losses(project)["loss"] == pytest.approx(curve["loss"], rel=TOLERANCE)
    assert resources(project)["environment"]["processes"] == 2
