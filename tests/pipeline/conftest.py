"""The real graph on tiny random weights and a few scenes; made once, copied by tests that change it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from dvc.utils.serialize import modify_yaml

from contracts.graph import ROOT
from pipeline import meteor_server
from vltune.commands.verify import TIMINGS
from vltune.pipeline.params import TASKS, read
from vltune.pipeline.process import outside_git

TINY = {
    "tasks": list(TASKS),
    "method": "lora",
    "fetch": {"encoder": "tiny", "decoder": "tiny"},
    "scenes": {"image_size": 64, "concepts": 12, "train": 24, "val": 6, "test": 8},
    "preprocess": {"image_size": 32, "grid": 2},
    "train": {"steps": 6, "batch_size": 2, "texts_per_image": 2, "checkpoint_seconds": 0.0},
    "predict": {"beams": 2, "max_new_tokens": 8, "max_answer_tokens": 4},
    "evaluate": {"bootstrap_samples": 200},
    "prefix": {"length": 4, "learning_rate": 0.01},
    "adapter": {"bottleneck": 2, "learning_rate": 0.01},
    "lora": {"rank": 2, "alpha": 4.0},
}
AUTHOR = {"GIT_AUTHOR_NAME": "vltune", "GIT_AUTHOR_EMAIL": "vltune@example.invalid",
          "GIT_COMMITTER_NAME": "vltune", "GIT_COMMITTER_EMAIL": "vltune@example.invalid"}


def obey_ctrl_c() -> None:
    """Let a process that is about to start be interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Project:
    """A git and DVC repository of its own."""

    folder: Path
    java: dict[str, str] = field(default_factory=dict)  # set if the stages share one METEOR process

    @property
    def environment(self) -> dict[str, str]:
        """The interpreter of this test first, one thread, an author of its own, and the plainest shell."""
        outer = outside_git()
        path = f"{Path(sys.executable).parent}{os.pathsep}{outer['PATH']}"
        return outer | AUTHOR | self.java | {
            "PATH": path, "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1", "SHELL": "/bin/sh"}

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command in a session of its own, its output in `log`. It obeys Ctrl-C, even where the tests
        run in the background of a shell, which lets its processes ignore it."""
        with (self.folder / ".dvc/tmp/log").open("w") as log:
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log,
                                    stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=obey_ctrl_c)

    def log(self) -> str:
        """What the last started command wrote."""
        return (self.folder / ".dvc/tmp/log").read_text()

    def run(self, *command: str) -> str:
        """Run a command to its end; give what it wrote."""
        ended = subprocess.run(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout[-6000:]}"
        return ended.stdout

    def set(self, section: str, **values: Any) -> None:
        """Change parameters."""
        with modify_yaml(self.folder / "params.yaml") as content:
            content[section].update(values)

    def commit(self) -> None:
        """Commit everything, as a user does between experiments."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "state")

    def copy(self, folder: Path) -> Project:
        """Copy the repository; the files of the cache are linked, not copied."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=_linked)
        return replace(self, folder=folder)


def _linked(source: str, target: str) -> str:
    if "/.dvc/cache/" in source:
        os.link(source, target)
        return target
    return shutil.copy2(source, target)


def stages_in(output: str) -> list[str]:
    """The stages that DVC ran, by its output."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")]


def hashes(project: Project) -> dict[str, str]:
    """The hash of every output in dvc.lock that is not a timing."""
    stages = read(project.folder / "dvc.lock")["stages"]
    outputs = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    return {path: md5 for path, md5 in outputs.items() if not path.startswith(TIMINGS)}


def fresh(folder: Path) -> Project:
    """Copy the work tree with tiny params: committed, nothing run, no result of another run in it."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith(("metrics/", "plots/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    project = Project(folder)
    with modify_yaml(folder / "params.yaml") as content:
        for name, value in TINY.items():
            if isinstance(value, dict):
                content[name].update(value)
            else:
                content[name] = value
    project.run("git", "init", "-q", "-b", "main")
    (folder / ".dvc/tmp").mkdir(exist_ok=True)
    project.commit()
    return project


@pytest.fixture(scope="session")
def shared_java() -> Iterator[dict[str, str]]:
    """The environment of stages that share one METEOR process."""
    # Not in pytest's folder, as the path of a socket must be short.
    with TemporaryDirectory() as folder, meteor_server.serve(Path(folder)) as variables:
        yield variables


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder with `vltune` after an experiment and `dvc repro`; made by the first worker that needs it.

    The experiment starts Java itself, the stages after it share one METEOR: test_verify.py compares the two.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            assert not (folder / "vltune").exists(), "the tiny graph could not be made; see the first error"
            project = fresh(folder / "vltune")
            log = project.run("dvc", "exp", "run", "-S", "method=prefix", "summary")
            (folder / "first_experiment.log").write_text(log)
            project.run("git", "checkout", "-q", "params.yaml")
            replace(project, java=request.getfixturevalue("shared_java")).run("dvc", "repro")
            project.commit()
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def first_experiment(built: Path) -> str:
    """What DVC writes when one method's summary is asked for where nothing has run."""
    return (built / "first_experiment.log").read_text()


@pytest.fixture(scope="session")
def whole(built: Path, shared_java: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """This worker's copy of the project after `dvc repro`. Tests that change something use `project`."""
    return Project(built / "vltune", shared_java).copy(tmp_path_factory.mktemp("whole") / "vltune")


@pytest.fixture
def project(whole: Project, tmp_path: Path) -> Project:
    """A copy of the whole project."""
    return whole.copy(tmp_path / "vltune")
