"""Metrics of images in tables and verdicts: where runs have them, where they could not be computed, and by
default, where nothing is said of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from results import METHODS, SIGNATURE, write_run
from vltune.comparison import runs
from vltune.metrics.interface import image_metrics
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.report.report import report

pytestmark = pytest.mark.usefixtures("uncharted")
SEEN = tuple(name for metric in image_metrics() for name in metric.values)
MADE = SIGNATURE | {"clipscore": {"model": "ViT-B-32-quickgelu", "open_clip": "3.3.0", "weights": "openai"}}
REASON = SIGNATURE | {"clipscore": {"not_computed": "there is no network"}}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (paths.RAW / "images/test").mkdir(parents=True)


def test_they_have_columns_intervals_and_verdicts() -> None:
    assert SEEN == ("CLIPScore", "RefCLIPScore", "CLIPScore-course")
    for method in METHODS:
        write_run(method, signature=MADE, seen=SEEN)
    report(METHODS, ["caption"], [0])
    table = pd.read_csv("metrics/comparison.csv", index_col="method")
    assert table.loc["lora", "CLIPScore"] == pytest.approx(0.3 * 2.35)
    assert table.loc["lora", "CLIPScore_low"] < 0.3 * 2.35 < table.loc["lora", "CLIPScore-course_high"]
    verdicts = pd.read_csv("metrics/verdicts.csv").set_index(["metric", "method", "other"])
    assert verdicts.loc[("RefCLIPScore", "lora", "connector"), "verdict"] == "run better"
    text = Path("metrics/comparison.md").read_text()
    assert "| ROUGE-L | CLIPScore | RefCLIPScore | blind CIDEr |" in text
    assert "by ViT-B-32-quickgelu of open_clip 3.3.0, weights openai. " in text


def test_the_reason_stands_below_the_table_where_they_are_missing() -> None:
    for method in METHODS:
        write_run(method, signature=REASON)
    report(METHODS, ["caption"], [0])
    text = Path("metrics/comparison.md").read_text()
    assert "CLIPScore and RefCLIPScore are not computed: there is no network. " in text
    assert text.count("| not computed | not computed |") == len(METHODS)
    assert Path("plots/report.html").read_text().count("not computed</td>") == 2 * len(METHODS)
    assert not any("CLIP" in name for name in pd.read_csv("metrics/comparison.csv"))


def test_by_default_nothing_is_about_them() -> None:
    for method in METHODS:
        write_run(method)
    report(METHODS, ["caption"], [0])
    for file in ("metrics/comparison.csv", "metrics/comparison.md", "metrics/verdicts.csv"):
        assert "CLIP" not in Path(file).read_text()


def test_a_metric_without_its_scores_per_image_is_named() -> None:
    write_run("lora", signature=MADE, seen=SEEN)
    path = paths.result("lora", "caption", 0)
    content = read_json(path)
    del content["per_image"]["RefCLIPScore"]
    write_json(path, content)
    with pytest.raises(InputError, match=r"caption-0\.json: per_image\[0\] has no 'RefCLIPScore'"):
        runs.read_results(path)
