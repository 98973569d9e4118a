"""vltune verify: reproduce the committed results in a clone, and compare every hash."""

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
from vltune.pipeline.process import outside_git

# Files that differ between two runs of the same code.
TIMINGS = ("data/resources", "data/speed", "metrics/cost.json", "metrics/resources.csv", "metrics/speed.csv",
           "plots/report.html", str(environment.GATHERED))
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
        committed, here = (md5[:12] if md5 else "missing" for md5 in (self.committed, self.here))
        return f"  {self.stage}: {self.path}: committed {committed}, here {here}"


def main(root: Path, folder: Path | None) -> None:
    """Clone HEAD, run `dvc repro` there from scratch, and
    compare the hashes in dvc.lock except those of timings.

    Args: folder, a new one for the clone, which is kept; None makes a temporary one.

    Raises:
        InputError: `root` is not the root of a repository with
            a dvc.lock, the pipeline fails, or a hash differs.
    """
    if folder is not None:
        output.check_folder(folder)
    commit = git(root, "rev-parse", "HEAD")
    if git(root, "status", "--porcelain"):
        sys.stderr.write("there are uncommitted changes; HEAD is verified, without them\n")
    with _clone_folder(folder) as clone:
        git(root, "clone", "--quiet", str(root.absolute()), str(clone))
        git(clone, "checkout", "--quiet", "--detach", commit)
        lock = clone / "dvc.lock"
        if not lock.is_file():
            raise InputError(f"{root}: dvc.lock is not committed; run `dvc repro` and commit it")
        committed, before = read(lock)["stages"], environments(clone)
        lock.unlink()  # so that no stage counts as up to date
        repro(clone)
        here, after = read(lock)["stages"], environments(clone)
        unequal = differences(committed, here, list(read(clone / "dvc.yaml")["stages"]))
    removed = sorted(set(committed) - set(here))
    if removed:
        sys.stderr.write(f"not compared, since dvc.yaml no longer has these stages: {', '.join(removed)}\n")
    if unequal:
        for difference in unequal:
            sys.stdout.write(f"{difference}\n")
        raise InputError(
            f"{len(unequal)} hashes of {commit[:12]} differ, the first is that of {unequal[0].path}. "
            f"Likely cause: {cause(unequal, before, after)}")
    sys.stdout.write(f"{commit[:12]}: {len(hashes(here))} hashes of {len(here)} stages are equal; "
                     "timings are not compared\n")


def repro(clone: Path) -> None:
    """Run the whole pipeline with the interpreter of this process; raises InputError if it fails."""
    variables = outside_git()
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    variables["DVC_NO_ANALYTICS"] = "1"
    command = [sys.executable, "-m", "dvc", "repro", "--force"]
    ended = subprocess.run(command, cwd=clone, check=False, env=variables)
    if ended.returncode:
        raise InputError(
            f"`dvc repro` of the committed state failed with exit code {ended.returncode}; see above")


def hashes(stages: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Give the hash of every dependency and output of a lock's stages, by stage and path, except timings."""
    return {(stage, entry["path"]): entry["md5"] for stage, content in stages.items()
            for entry in [*content.get("deps", []), *content.get("outs", [])] if not is_timing(entry["path"])}


def is_timing(path: str) -> bool:
    """Whether a file is, or lies in a folder of, timings."""
    return any(path == timing or path.startswith(f"{timing}/") for timing in TIMINGS)


def differences(committed: dict[str, Any], here: dict[str, Any], order: list[str]) -> list[Difference]:
    """Compare the stages of two locks; a stage that did not run here is not compared.

    Args: order, the stages of dvc.yaml from the first to the last.
    Returns: each file once, with the first stage that has it.
    """
    old, new = hashes({stage: content for stage, content in committed.items() if stage in here}), hashes(here)
    unequal = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    unequal.sort(key=lambda key: (order.index(key[0].partition("@")[0]), key))
    first: dict[str, Difference] = {}
    for stage, path in unequal:
        first.setdefault(path, Difference(stage, path, old.get((stage, path)), new.get((stage, path))))
    return list(first.values())


def cause(unequal: list[Difference], before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str:
    """Name the most likely cause of differences.

    Args: before and after, the environments of the committed trainings and of those here.
    """
    code = [difference.path for difference in unequal if difference.path.startswith(CODE)]
    if code:
        return f"dvc.lock was made with other code ({code[0]}); run `dvc repro` and commit dvc.lock"
    if not before:
        return (f"unknown, since {environment.GATHERED} is not committed; possibly another CPU type, number "
                "of threads or package version")
    changes = []
    for name in {**before[0], **(after[0] if after else {})}:
        old, new = values_of(name, before), values_of(name, after)
        if name != "runs" and old != new:
            changes.append(f"{name} was {old}, here {new}")
    return "; ".join(changes) or (
        "unknown; CPU type, threads and packages are the same. Check the inputs and the random numbers of "
        f"stage {unequal[0].stage}")


def values_of(name: str, environments: list[dict[str, Any]]) -> str:
    """Join the different values of a field of environments."""
    return " and ".join(sorted({str(environment.get(name)) for environment in environments}))


def environments(folder: Path) -> list[dict[str, Any]]:
    """Read the environments of a repository's trainings; none if they are not recorded."""
    path = folder / environment.GATHERED
    return read_json(path) if path.is_file() else []


@contextmanager
def _clone_folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="vltune-verify-") as parent:
        yield Path(parent) / "clone"


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and give what it writes; raises InputError if it fails."""
    ended = subprocess.run(["git", *words], cwd=folder, env=outside_git(), capture_output=True, text=True,
                           check=False)
    if ended.returncode:
        raise InputError(f"{folder}: git {words[0]} failed: {ended.stderr.strip()}")
    return ended.stdout.strip()
