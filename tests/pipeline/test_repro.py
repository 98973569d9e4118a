"""`make repro` beside `dvc repro`: what it adds to the output, and that failures and Ctrl-C end alike."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from contracts.graph import ROOT
from pipeline.conftest import Project
from pipeline.test_kill import STEPS, trainers, until

REPRO = (sys.executable, "-m", "vltune.commands.repro")
DVC = ("dvc", "repro")
HINTS = ("git add", "autostage", "dvc push", "didn't change")


def run(project: Project, command: tuple[str, ...]) -> subprocess.CompletedProcess:
    environment = project.environment | {"PYTHONPATH": str(project.folder / "src")}
    return subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True,
                          timeout=300, check=False)


def select(project: Project, method: str) -> None:
    file = project.folder / "params.yaml"
    file.write_text(re.sub(r"(?m)^method: \w+", f"method: {method}", file.read_text()))
    shutil.rmtree(project.folder / ".dvc/cache/runs")  # a fixture may have made this summary


def test_it_counts_stages_and_ends_with_the_answer(project: Project) -> None:
    select(project, "prefix")
    ended = run(project, REPRO)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    lines = ended.stdout.splitlines()
    assert re.fullmatch(r"\d+ stages, 1 to run; less than a minute left", lines[0])
    assert lines[1] == "stage 1 of 1: summary, the selected method; less than a minute left"
    assert lines[2:4] == ["Running stage 'summary':", "> exec python stages/summary.py"]
    for task in ("caption", "vqa"):
        assert re.search(rf"(?m)^{task} +Compared with full, ", ended.stdout)
    assert not [hint for hint in HINTS if hint in ended.stdout]
    assert "summary," in (project.folder / ".work/stage_seconds.csv").read_text()
    again = run(project, REPRO)
    assert again.returncode == 0
    assert again.stdout.startswith("Data and pipelines are up to date.\n\ncaption ")


def test_without_times_it_counts_alone(project: Project) -> None:
    (project.folder / "results/stage_seconds.csv").unlink()
    shutil.rmtree(project.folder / ".work", ignore_errors=True)
    select(project, "prefix")
    assert re.match(r"\d+ stages, 1 to run\nstage 1 of 1: summary, the selected method\n",
                    run(project, REPRO).stdout)


def test_a_failing_stage_ends_it_as_it_ends_dvc(project: Project) -> None:
    (project.folder / "stages/summary.py").write_text("raise SystemExit('broken')\n")
    plain, ours = run(project, DVC), run(project, REPRO)
    assert plain.returncode == ours.returncode == 255
    assert "broken" in ours.stderr
    assert ours.stderr == plain.stderr
    assert "Compared with" not in ours.stdout


def test_a_broken_graph_ends_it_as_it_ends_dvc(project: Project) -> None:
    (project.folder / "dvc.lock").write_text("stages: [\n")
    plain, ours = run(project, DVC), run(project, REPRO)
    assert plain.returncode == ours.returncode != 0
    assert ours.stderr == plain.stderr


def interrupted(project: Project, command: tuple[str, ...]) -> tuple[int, str]:
    """Press Ctrl-C while a stage trains; give the exit code and the last line."""
    started = project.start(*command)
    until(lambda: trainers(project), "a training")
    until(lambda: "step/s" in project.log(), "its first steps")
    os.killpg(started.pid, signal.SIGINT)
    code = started.wait(60)
    until(lambda: not trainers(project), "the trainer to end", 10)
    return code, project.log().splitlines()[-1]


def test_ctrl_c_ends_it_as_it_ends_dvc(project: Project) -> None:
    project.set("train", steps=100 * STEPS)
    plain, ours = interrupted(project, DVC), interrupted(project, REPRO)
    assert plain[0] == ours[0] == 255
    message = re.compile(r"ERROR: failed to reproduce '(train_\w+@\w+-0)': failed to run: .*, exited with ")
    assert message.match(plain[1])
    assert message.match(ours[1])[1] == message.match(plain[1])[1]


def test_make_repro_is_the_setup_and_this(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    Path(tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.runtime").touch()
    command = ["make", "--no-print-directory", "-n", "repro"]
    env = {name: text for name, text in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    planned = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert planned.stdout.splitlines()[-1] == "PYTHONPATH=src python -m vltune.commands.repro"
