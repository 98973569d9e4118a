"""vltune study: the runs of a table of results, made in small pieces, and the table."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from vltune.commands import study_clone, study_tables, terminal
from vltune.commands.compare import read_claims
from vltune.commands.study_plan import Choice, Planned, Study, read_study
from vltune.commands.study_runs import Runs, delete, read_runs, write_run
from vltune.commands.study_times import estimate, read_trainings
from vltune.comparison.claims import Claims
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import PARAMS, check


class Mode(NamedTuple):
    """The data set's path, the minutes that there are, and the switches of the command."""

    path: Path | None
    minutes: float
    dry_run: bool
    tables: bool
    redo: bool
    keep_models: bool


def main(file: Path, choice: Choice, mode: Mode, root: Path) -> None:
    """Print the plan of a study, make its missing runs as far as the time reaches, and write its tables.

    Raises:
        InputError: the study, a run's file or a parameter is wrong, the data set's path is missing, another
            process makes the same study, or (after the others are made) a run failed.
    """
    study = read_study(file, root)
    claims = claims_of(study, root)
    if mode.tables:
        runs = read_runs(study)
        if not runs.finished:
            raise InputError(f"{study.folder}: no finished run of this study that is not stale; make some "
                             f"with `vltune study {file}`")
        study_tables.write(study, runs, claims)
        return
    from vltune.commands.study_check import check_settings  # imports torch, which tables do not need
    check_settings(study)
    runs = read_runs(study)
    sys.stdout.write(plan(study, runs, choice, root))
    if mode.dry_run:
        return
    with study_clone.locked(study, root) as folder:
        if mode.redo:
            delete(study, [run for run in runs.stale if run in choice])
        failed = _make(study, choice, mode, folder, root, claims)
    if failed:
        raise InputError(f"{len(failed)} runs failed, see above: {', '.join(failed)}; call again to repeat "
                         "them, the finished ones are kept")


def claims_of(study: Study, root: Path) -> Claims:
    """Give the margins of the verdicts: those of params.yaml, or the study's own."""
    own = {key.partition(".")[2]: value for key, value in study.content.params.items()
           if key.startswith("claims.")}
    declared = read_claims(root / PARAMS)
    return check(Claims, "claims", declared.model_dump() | own, study.file)


def plan(study: Study, runs: Runs, choice: Choice, root: Path) -> str:
    """Describe which runs are there and which are missing, and how long these will take."""
    trainings, finished = read_trainings(root), runs.finished.values()
    missing = once([run for run in study.runs() if run not in runs.finished and run in choice])
    times = [estimate(study, run, finished, trainings) for run in missing]
    unknown = sum(seconds is None for seconds in times)
    lines = [
        f"{study.content.title}: {len(runs.finished)} of {len(study.runs())} runs are finished.", "",
        terminal.table(_groups(study, runs, dict(zip(missing, times, strict=True)))), "",
        f"To make: {sum(seconds or 0 for seconds in times) / 3600:.2g} hours, by the times of finished runs "
        f"and of metrics/resources.csv{f', and {unknown} runs of unknown length' if unknown else ''}.",
        *(f"Stale: {run.name}: {'; '.join(changed)}." for run, changed in runs.stale.items()),
        *(f"Not in the study: {name}." for name in runs.unplanned),
    ]
    if runs.stale:
        lines.append("To use stale runs, set these parameters in the study as they were; to make them again, "
                     "add --redo.")
    return "\n".join(lines) + "\n\n"


def once(runs: list[Planned]) -> list[Planned]:
    """Leave out the runs that are made by the training of an earlier one."""
    return [run for i, run in enumerate(runs) if not any(run.shares(other) for other in runs[:i])]


def _groups(study: Study, runs: Runs, times: dict[Planned, float | None]) -> pd.DataFrame:
    """Give a row for each variant, task and method: the seeds that are finished, stale and missing; and the
    minutes of a missing one that is chosen."""
    groups: dict[tuple[str, str, str], list[Planned]] = {}
    for run in study.runs():
        groups.setdefault(run[:3], []).append(run)
    rows = []
    for (variant, method, task), members in groups.items():
        open_runs = [run for run in members if run not in runs.finished and run not in runs.stale]
        minutes = [times[run] for run in members if run in times]
        rows.append({
            "variant": variant, "task": task, "method": method,
            "finished": _seeds([run for run in members if run in runs.finished]),
            "stale": _seeds([run for run in members if run in runs.stale]), "missing": _seeds(open_runs),
            "minutes of one": _minutes(minutes[0]) if minutes else "",
        })
    return pd.DataFrame(rows)


def _seeds(runs: list[Planned]) -> str:
    return ", ".join(str(run.seed) for run in runs)


def _minutes(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds / 60:.1f}"


def _make(study: Study, choice: Choice, mode: Mode, folder: Path, root: Path, claims: Claims) -> list[str]:
    """Make the missing runs that fit into the time; write the tables after each; name those that failed."""
    start, trainings, failed, late = time.monotonic(), read_trainings(root), [], []
    runs = read_runs(study)
    missing = once([run for run in study.runs()
                    if run in choice and run not in runs.finished and run not in runs.stale])
    if missing and mode.minutes:
        _check_path(study, missing, mode.path)
        clone = study_clone.at_head(root, folder)
    for number, run in enumerate(missing, 1):
        seconds = estimate(study, run, read_runs(study).finished.values(), trainings)
        if time.monotonic() - start + (seconds or 0) >= 60 * mode.minutes:
            late.append(run.name)
            continue
        sys.stdout.write(f"[{number}/{len(missing)}] {run.name}: expected minutes: {_minutes(seconds)}\n")
        sys.stdout.flush()
        try:
            took = study_clone.make(clone, study, run, mode.path, mode.keep_models)
        except InputError as error:
            sys.stderr.write(f"{run.name}: {error}\n")
            failed.append(run.name)
            continue
        for made in filter(run.shares, study.runs()):
            write_run(study, made, clone.folder, clone.commit, took)
        study_clone.tidy(clone, run, mode.keep_models)
        study_tables.write(study, read_runs(study), claims)
    if late:
        sys.stdout.write(f"Not started, as they would not end within {mode.minutes:g} minutes: "
                         f"{', '.join(late)}. Call again to go on.\n")
    study_tables.write(study, read_runs(study), claims)
    return failed


def _check_path(study: Study, missing: list[Planned], path: Path | None) -> None:
    if path is not None and not path.exists():
        raise InputError(f"--path {path}: no such folder or archive")
    datasets = {study.sections(run.variant)["fetch"]["dataset"] for run in missing}
    if path is None and datasets != {"scenes"}:
        raise InputError(f"{study.file}: its data set ({', '.join(sorted(datasets))}) lies on your machine: "
                         "give its folder or archive as --path")
