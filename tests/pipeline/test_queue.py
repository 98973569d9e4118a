"""The worked example of docs/scale.md: two workers train experiments of the queue at once, and a remote
brings the results to another clone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from pipeline.conftest import Project
from pipeline.test_kill import until

STAGE = "train_lora@caption-0"
RANKS = (3, 4)


def waiting(project: Project) -> bool:
    return bool(re.search(r"Queued|Running", project.run("dvc", "queue", "status")))


def rank_in(project: Project) -> int:
    description = json.loads((project.folder / "models/lora/caption-0/checkpoint.json").read_text())
    return description["settings"]["rank"]


def test_two_workers_train_at_once_and_a_remote_shares_the_result(project: Project, tmp_path: Path) -> None:
    project.run("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "shared.git"))
    project.run("git", "remote", "add", "origin", str(tmp_path / "shared.git"))
    project.run("dvc", "remote", "add", "-d", "shared", str(tmp_path / "remote"))
    project.commit()
    project.run("git", "push", "-q", "origin", "main")
    project.run("dvc", "push")
    ranks = ",".join(map(str, RANKS))
    queued = project.run("dvc", "exp", "run", "--queue", "-S", f"lora.rank={ranks}", STAGE)
    names = re.findall(r"Queued experiment '([\w-]+)'", queued)
    assert len(names) == len(RANKS)
    project.run("dvc", "queue", "start", "-j", "2")
    until(lambda: not waiting(project), "the queue to be empty", 300)
    status = project.run("dvc", "queue", "status")
    assert status.count("Success") == len(RANKS), status
    project.run("dvc", "exp", "push", "origin", *names)
    project.run("git", "clone", "-q", str(tmp_path / "shared.git"), str(tmp_path / "clone"))
    clone = replace(project, folder=tmp_path / "clone")
    clone.run("dvc", "pull")
    clone.run("dvc", "exp", "pull", "origin", *names)
    for name, rank in zip(names, RANKS, strict=True):
        clone.run("dvc", "exp", "apply", name)
        assert rank_in(clone) == rank
