"""Truth in tables and verdicts: where runs have it, and elsewhere nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from results import METHODS, write_run
from vltune.comparison.tasks import TASKS
from vltune.metrics.interface import scene_metrics
from vltune.pipeline import paths
from vltune.report.report import report

pytestmark = pytest.mark.usefixtures("undrawn")
ALL = tuple(name for metric in scene_metrics() for name in metric.values)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (paths.RAW / "images/test").mkdir(parents=True)


def test_it_has_columns_intervals_and_exploratory_verdicts() -> None:
    assert ALL == ("truth", "complete", "precision-thing", "precision-number", "precision-colour",
                   "precision-place")
    for method in METHODS:
        write_run(method, seen=("truth", "complete"))
    report(METHODS, ["caption"], [0])
    table = pd.read_csv("metrics/comparison.csv", index_col="method")
    assert table.loc["lora", "truth_low"] < table.loc["lora", "truth"] < table.loc["lora", "truth_high"]
    assert "precision-thing" not in table
    verdicts = pd.read_csv("metrics/verdicts.csv").set_index(["metric", "method", "other"]).sort_index()
    assert verdicts.loc[("truth", "lora", "connector"), "verdict"] == "run better"
    assert set(verdicts.loc["truth", "family"]) == {"exploratory"}
    assert "| ROUGE-L | truth | complete | blind CIDEr |" in Path("metrics/comparison.md").read_text()


def test_without_it_nothing_is_about_it() -> None:
    for method in METHODS:
        write_run(method)
    report(METHODS, ["caption"], [0])
    columns = pd.read_csv("metrics/comparison.csv").columns
    names = {*ALL, "answer_truth"}
    assert names <= {name for task in TASKS.values() for name in task.metrics}
    assert not names & set(columns)
    assert not names & set(pd.read_csv("metrics/verdicts.csv")["metric"])
    assert "truth" not in Path("metrics/comparison.md").read_text()
