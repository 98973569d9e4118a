"""vltune verify: make everything again from what is committed, in a clone, and compare every hash."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vltune.commands import output
from vltune.pipeline import environment
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import read

TIMINGS = ("data/resources", "metrics/cost.json", "metrics/resources.csv", str(environment.GATHERED))  # need not repeat
FROM_GIT = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX")
CODE = ("src/", "stages/")


@dataclass(frozen=True)
class Difference:
    """A file of a stage with two hashes, None where it is not listed."""

    stage: str
    path: str
    committed: str | None
    here: str | None

    def __str__(self) -> str:
        """One line of the report."""
        left, right = (one[:12] if one else "not there" for one in (self.committed, self.here))
        return f"  {self.stage}: {self.path}: committed {left}, here {right}"


def main(root: Path, folder: Path | None) -> None:
    """Clone HEAD, run `dvc repro` there from nothing, and compare all that dvc.lock says but the timings.

    Args: folder, a new one for the clone, which stays; None makes one that is removed.

    Raises:
        InputError: `root` is not the root of a repository with a dvc.lock, the pipeline fails, or a hash differs.
    """
    if folder is not None:
        output.check_folder(folder)
    commit = _git(root, "rev-parse", "HEAD")
    if _git(root, "status", "--porcelain"):
        sys.stderr.write("there are changes that are not committed; HEAD is verified, without them\n")
    with _place(folder) as clone:
        _git(root, "clone", "--quiet", str(root.absolute()), str(clone))
        _git(clone, "checkout", "--quiet", "--detach", commit)
        lock = clone / "dvc.lock"
        if not lock.is_file():
            raise InputError(f"{root}: dvc.lock is not committed; run `dvc repro` and commit it")
        committed, before = read(lock)["stages"], environments(clone)
        lock.unlink()  # so that nothing counts as done
        repro(clone)
        here, after = read(lock)["stages"], environments(clone)
        found = differences(committed, here, list(read(clone / "dvc.yaml")["stages"]))
    gone = sorted(set(committed) - set(here))
    if gone:
        sys.stderr.write(f"not compared, dvc.yaml has no such stages any more: {', '.join(gone)}\n")
    if found:
        for one in found:
            sys.stdout.write(f"{one}\n")
        raise InputError(f"{len(found)} hashes of {commit[:12]} differ, the first is that of {found[0].path}. Likely cause: "
                         f"{cause(found, before, after)}")
    sys.stdout.write(f"{commit[:12]}: {len(hashes(here))} hashes of {len(here)} stages are equal; timings are not compared\n")


def repro(clone: Path) -> None:
    """Run the whole pipeline with the interpreter of this process; raises InputError if it fails."""
    clean = outside_git()
    ended = subprocess.run([sys.executable, "-m", "dvc", "repro", "--force"], cwd=clone, check=False, env=clean | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}", "DVC_NO_ANALYTICS": "1"})
    if ended.returncode:
        raise InputError(f"`dvc repro` of what is committed has failed with exit code {ended.returncode}; see above")


def outside_git() -> dict[str, str]:
    """Give this process's environment without what a git hook sets: it would point git at the hook's repository."""
    return {name: value for name, value in os.environ.items() if name not in FROM_GIT}


def hashes(stages: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Give the hash of every file that a lock's stages read or write, by stage and path, timings left out."""
    return {(stage, one["path"]): one["md5"] for stage, content in stages.items()
            for one in [*content.get("deps", []), *content.get("outs", [])]
            if not any(one["path"] == timing or one["path"].startswith(f"{timing}/") for timing in TIMINGS)}


def differences(committed: dict[str, Any], here: dict[str, Any], order: list[str]) -> list[Difference]:
    """Compare the stages of two locks; a stage that was not made here is not compared.

    Args: order, the stages of dvc.yaml from the first to the last.
    Returns: each file once, by the first stage that has it.
    """
    old, new = hashes({name: one for name, one in committed.items() if name in here}), hashes(here)
    unequal = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    unequal.sort(key=lambda key: (order.index(key[0].partition("@")[0]), key))
    first: dict[str, Difference] = {}
    for stage, path in unequal:
        first.setdefault(path, Difference(stage, path, old.get((stage, path)), new.get((stage, path))))
    return list(first.values())


def cause(found: list[Difference], before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str:
    """Say what most likely made the difference.

    Args: before and after, the environments of the committed trainings and of those here.
    """
    code = [one.path for one in found if one.path.startswith(CODE)]
    if code:
        return f"dvc.lock was made with other code ({code[0]}); run `dvc repro` and commit dvc.lock"
    if not before:
        return f"cannot be told, since {environment.GATHERED} is not committed; another CPU type, number of threads or package version"
    names = [name for name in {**before[0], **(after[0] if after else {})} if name != "runs"]
    values = {name: [sorted({str(one.get(name)) for one in each}) for each in (before, after)] for name in names}
    other = [f"{name} was {' and '.join(old)}, here {' and '.join(new)}" for name, (old, new) in values.items() if old != new]
    if other:
        return "; ".join(other)
    return f"not the CPU type, the threads or a package, which are the same; look at what stage {found[0].stage} reads and draws"


def environments(folder: Path) -> list[dict[str, Any]]:
    """Read where the trainings of a repository ran; none if it doesn't say."""
    path = folder / environment.GATHERED
    return read_json(path) if path.is_file() else []


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="vltune-verify-") as made:
        yield Path(made) / "clone"


def _git(folder: Path, *words: str) -> str:
    ended = subprocess.run(["git", *words], cwd=folder, env=outside_git(), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise InputError(f"{folder}: git {words[0]} has failed: {ended.stderr.strip()}")
    return ended.stdout.strip()
