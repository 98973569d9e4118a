"""The clone of HEAD in which the runs of a study are made, by the pipeline itself.

It shares DVC's cache with the repository, so that data and features are made once. A run's checkpoint stays
out of the cache unless it is asked for: the scores are what a study keeps.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.utils.serialize import modify_yaml

from vltune.commands.study_plan import Planned, Study, override
from vltune.commands.verify import git
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced
from vltune.pipeline.params import PARAMS
from vltune.pipeline.process import die_with_parent, outside_git

WORK = Path(".work/studies")
CODE = ("params.yaml", "dvc.yaml", "src", "stages")
LOCK = "dvc.lock"
PATIENCE = 60  # seconds that DVC has to end after Ctrl-C


@dataclass(frozen=True)
class Clone:
    """A clone of the repository, and the commit that it is at."""

    folder: Path
    commit: str


@contextmanager
def locked(study: Study, root: Path) -> Iterator[Path]:
    """Yield the folder for the study's clone, which no other process uses meanwhile.

    Raises:
        InputError: another process is making runs of the study.
    """
    folder = (root / WORK / study.name.replace("/", "-")).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{study.file}: another process is making runs of this study; wait for it, or "
                             "stop it") from None
        yield folder


def at_head(root: Path, folder: Path) -> Clone:
    """Bring the clone in `folder` to the commit of HEAD; make it if it is not there.

    Raises:
        InputError: code or parameters have changes that are not committed, or git or DVC fails.
    """
    changed = git(root, "status", "--porcelain", "--", *CODE)
    if changed:
        files = ", ".join(line[2:].strip() for line in changed.splitlines())
        raise InputError(f"uncommitted changes in {files}: a study runs the committed code, whose commit its "
                         "results name; commit or stash them")
    commit = git(root, "rev-parse", "HEAD")
    if not folder.is_dir():
        with replaced(folder) as part:
            git(root, "clone", "--quiet", str(root.absolute()), str(part))
            git(part, "checkout", "--quiet", "--detach", commit)
            (part / ".dvc/config.local").write_text(f"[cache]\n    dir = {_cache(root)}\n")
    elif git(folder, "rev-parse", "HEAD") != commit:
        lock = folder / LOCK
        stages = lock.read_bytes() if lock.is_file() else b""  # what was made here, not what HEAD has
        git(folder, "fetch", "--quiet", str(root.absolute()), "HEAD")
        git(folder, "checkout", "--quiet", "--force", "--detach", commit)
        lock.write_bytes(stages or lock.read_bytes())
    for stale in (folder / ".dvc/tmp").glob("*lock"):  # of a killed DVC; no other can run here
        stale.unlink()
    return Clone(folder, commit)


def make(clone: Clone, study: Study, run: Planned, data: Path | None, keep_models: bool) -> float:
    """Make a run with `dvc repro`; give the seconds of training, prediction and scoring.

    Raises:
        InputError: a stage fails.
    """
    _write_params(clone.folder, study, run, data)
    _repro(clone.folder, f"align@{run.training}")
    start = time.monotonic()
    _repro(clone.folder, _target(study, run), *([] if keep_models else ["--no-commit"]))
    return time.monotonic() - start


def tidy(clone: Clone, run: Planned, keep_models: bool) -> None:
    """Keep a run's predictions beside the clone, under the run's name, and delete its checkpoint."""
    key = (run.method, run.training, run.seed)
    folder = clone.folder.with_name(f"{clone.folder.name}-predictions")
    folder.mkdir(exist_ok=True)
    shutil.copyfile(clone.folder / paths.predictions(*key), folder / f"{run.name}.json")
    if not keep_models and run.method != paths.START:
        shutil.rmtree(clone.folder / paths.checkpoint(*key), ignore_errors=True)


def _target(study: Study, run: Planned) -> str:
    if run.method == paths.START:
        return f"evaluate_aligned@{run.training}"
    extra = "" if run.method in study.params["methods"] else "_extra"
    return f"evaluate{extra}@{run.method}-{run.training}-{run.seed}"


def _write_params(folder: Path, study: Study, run: Planned, data: Path | None) -> None:
    """Write HEAD's params.yaml with the overrides, for this run alone: DVC then loads few stages."""
    git(folder, "checkout", "--quiet", "--", str(PARAMS))
    own = run.method in study.params["methods"]
    trained = [] if run.method == paths.START else [run.method]
    with modify_yaml(folder / PARAMS) as content:
        override(content, study.overrides(run.variant))
        if data is not None and content["fetch"]["dataset"] != "scenes":
            content["fetch"]["path"] = str(data.absolute())
        content.update(methods=trained if own else [], extra_methods=[] if own else trained,
                       tasks=[run.training], seeds=[run.seed])


def _repro(folder: Path, target: str, *options: str) -> None:
    process = subprocess.Popen([sys.executable, "-m", "dvc", "repro", *options, target], cwd=folder,
                               env=_variables(), preexec_fn=die_with_parent)
    with process:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # which DVC has received too: it ends by itself, and saves what it must
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise InputError(f"`dvc repro {target}` failed with exit code {code}; see above")


def _cache(root: Path) -> str:
    ended = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], cwd=root, env=_variables(),
                           capture_output=True, text=True, check=False)
    if ended.returncode:
        raise InputError(f"{root}: `dvc cache dir` failed: {ended.stderr.strip()}")
    return ended.stdout.strip()


def _variables() -> dict[str, str]:
    """Give the environment of DVC: the interpreter of this process comes first."""
    variables = outside_git()
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    variables["DVC_NO_ANALYTICS"] = "1"
    return variables
