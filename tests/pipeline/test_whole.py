"""`dvc repro` on the tiny graph: what it leaves, and that it runs nothing twice."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from pipeline.conftest import Project, stages_in
from vltune.pipeline.params import TASKS, read
from vltune.pipeline.questions import read_answer_predictions

COMPARISON = (
    "task,method,seed,CIDEr,CIDEr_low,CIDEr_high,BLEU-4,METEOR,ROUGE-L,accuracy,accuracy_low,"
    "accuracy_high,trained_parameters,trained_share,projector_parameters,checkpoint_bytes"
).split(",")
RESOURCES = "task,method,seed,train_seconds,captions_per_second,peak_memory_bytes,step_seconds".split(",")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_on_a_fresh_clone_a_summary_trains_its_method_alone(first_experiment: str) -> None:
    stages = stages_in(first_experiment)
    own = [stage.format(task) for task in TASKS
           for stage in ("align@{}", "train_prefix@{}-0", "predict@prefix-{}-0", "evaluate@prefix-{}-0")]
    assert sorted(stages) == sorted(["fetch", "preprocess", *own, "summary"])
    assert stages[-1] == "summary"


def test_what_others_read_has_its_form(whole: Project) -> None:
    summary = json.loads((whole.folder / "metrics/summary.json").read_text())
    assert list(summary) == ["method", "caption", "vqa", "trained_parameters", "trained_share"]
    assert list(summary["vqa"]) == ["accuracy", "yes/no", "number", "other", "answer_truth"]
    precision = {f"precision-{aspect}" for aspect in ("thing", "number", "colour", "place")}
    assert set(summary["caption"]) == precision | {
        "CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "truth", "complete",
    }
    names = ("comparison", "resources", "methods", "verdicts")
    tables = {name: table(whole.folder / f"metrics/{name}.csv") for name in names}
    comparison, resources, of_methods, verdicts = tables.values()
    assert set(COMPARISON) <= set(comparison[0])
    assert RESOURCES == list(resources[0])
    methods = read(whole.folder / "params.yaml")["methods"]
    names = {(row["task"], row["method"]) for row in comparison}
    assert names == {(task, method) for task in TASKS for method in (*methods, "aligned")}
    assert len(comparison) == len(names)
    pairs = [(task, method) for task in TASKS for method in methods]
    assert {(row["task"], row["method"]) for row in of_methods} == names
    tested = {(task, method) for task, method in pairs if method != methods[-1]}
    assert {(row["task"], row["method"]) for row in verdicts} == tested
    assert [(row["task"], row["method"]) for row in resources] == pairs
    cost = json.loads((whole.folder / "metrics/cost.json").read_text())
    for row in resources:
        if row["method"] == "lora":
            assert cost[row["task"]] == {name: json.loads(row[name]) for name in RESOURCES[3:]}
    questions = json.loads((whole.folder / "data/raw/questions_test.json").read_text())["questions"]
    ids = {question["question_id"] for question in questions}
    for method in (*methods, "aligned"):
        answers = read_answer_predictions(whole.folder / f"data/predictions/vqa-{method}-0.json")
        assert {answer.question_id for answer in answers} == ids
        predictions = json.loads((whole.folder / f"data/predictions/caption-{method}-0.json").read_text())
        assert [list(row) for row in predictions] == [["image_id", "file_name", "caption", "references"]] * 8


def test_a_second_repro_runs_nothing(whole: Project) -> None:
    output = whole.run("dvc", "repro")
    assert not stages_in(output)
    assert "Data and pipelines are up to date." in output
    assert not whole.run("git", "status", "--porcelain")


def test_plots_are_drawn_without_a_network(whole: Project, tmp_path: Path) -> None:
    whole.run("dvc", "plots", "show", "-o", str(tmp_path / "page"))
    page = (tmp_path / "page/index.html").read_text()
    plots = read(whole.folder / "dvc.yaml")["plots"]
    titles = [plot[name]["title"] for plot in plots if isinstance(plot, dict) for name in plot]
    assert len(titles) == 7
    for title in titles:
        assert f'"text": "{title}"' in page
    assert page.count("<p>workspace</p>") == len(list((whole.folder / "plots/pictures").iterdir())) == 8
    for method in read(whole.folder / "params.yaml")["methods"]:
        assert f'"{method}"' in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']https?://""", page)
    assert not re.findall(r"""import\s[^;]{0,200}from\s*["']https?://""", page)


def test_experiments_can_be_listed(whole: Project) -> None:
    header = whole.run("dvc", "exp", "show", "--csv").splitlines()[0].split(",")
    assert "metrics/summary.json:caption.CIDEr" in header or "caption.CIDEr" in header
    assert "params.yaml:method" in header  # the metrics files name it too
