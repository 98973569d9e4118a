"""Where the numbers of the page come from: data, models, machine, versions, hashes and licences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vltune.comparison.runs import Run
from vltune.pipeline import environment, paths
from vltune.pipeline.files import fingerprint, read_json, sha256
from vltune.report import history
from vltune.report.cells import Cell, Table, table

DIGITS = 16  # of a hash
SCALARS = (str, int, float, bool)


def tables(runs: list[Run], settings: Mapping[str, Any]) -> dict[str, Table]:
    """Give the tables by their titles; a source that is missing has none. `settings` are the sections of
    params.yaml.

    Raises:
        InputError: a file is no JSON.
    """
    claims = settings.get("claims")
    facts = {
        "Claims": {"hash": fingerprint(claims), **history.commits(claims)} if claims else None,
        "Data": _read(paths.RAW / "SOURCE.json"), "Models": _read(paths.ENCODER.parent / "SOURCE.json"),
        **{f"Scoring: {task}": signature for task, signature in _signatures(runs).items()},
        **{f"Machine of {_runs(machine)}": {name: value for name, value in machine.items() if name != "runs"}
           for machine in _read(environment.GATHERED) or []},
    }
    shown = {title: table([{"what": name, "value": value} for name, value in _flat(content)])
             for title, content in facts.items() if content}
    return shown | {"Predictions": _predictions(runs)}


def _read(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _signatures(runs: list[Run]) -> dict[str, Mapping[str, Any]]:
    return {run.task: run.result["signature"] for run in runs}


def _runs(machine: Mapping[str, Any]) -> str:
    number = len(machine.get("runs", []))
    return f"{number} trainings" if number != 1 else "one training"


def _flat(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what is a single value, or a group of single values; larger groups are left out."""
    lines = []
    for name, value in content.items():
        if isinstance(value, SCALARS):
            lines.append((name, str(value)))
        elif isinstance(value, Mapping) and all(isinstance(part, SCALARS) for part in value.values()):
            lines.append((name, ", ".join(f"{key} {part}" for key, part in value.items())))
    return lines


def _predictions(runs: list[Run]) -> Table:
    """Give the hash of the predictions and the results of every run."""
    rows = []
    for run in runs:
        row: dict[str, Cell | str] = {"task": run.task, "method": run.method,
                                      "seed": Cell(str(run.seed), "", run.seed)}
        files = {"predictions SHA-256": paths.predictions(run.method, run.training, run.seed),
                 "results SHA-256": paths.result(run.method, run.training, run.seed)}
        rows.append(row | {name: sha256(path)[:DIGITS] for name, path in files.items() if path.is_file()})
    return table(rows)
