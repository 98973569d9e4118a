"""One training on captions and questions together, through the real graph: `tasks: [caption+vqa]`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml

from pipeline.conftest import Project, fresh, stages_in
from vltune.pipeline.files import read_json
from vltune.pipeline.tasks import JOINT


@pytest.fixture(scope="module")
def together(shared_java: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The part of the tiny graph that one method and the start need, its report, and what DVC wrote."""
    project = fresh(tmp_path_factory.mktemp("together"))
    project = Project(project.folder, shared_java)
    with modify_yaml(project.folder / "params.yaml") as content:
        content.update(methods=["lora"], tasks=[JOINT])
    log = project.run("dvc", "repro", "summary", f"evaluate_aligned@{JOINT}")
    project.run("python", "stages/report.py")
    return project, log


def test_one_training_gives_the_results_of_both_tasks(together: tuple[Project, str]) -> None:
    project, log = together
    own = [f"{stage}-{JOINT}-0" if "@" in stage else f"{stage}@{JOINT}-0"
           for stage in ("train_lora", "predict@lora", "evaluate@lora")]
    start = [f"{stage}@{JOINT}" for stage in ("align", "predict_aligned", "evaluate_aligned")]
    assert set(stages_in(log)) == {"fetch", "preprocess", *own, *start, "summary"}
    assert [path.name for path in sorted((project.folder / "models/lora").iterdir())] == [f"{JOINT}-0"]
    summary = read_json(project.folder / "metrics/summary.json")
    assert {"CIDEr", "BLEU-4"} <= set(summary["caption"])
    assert "accuracy" in summary["vqa"]
    rows = list(csv.DictReader((project.folder / "metrics/comparison.csv").read_text().splitlines()))
    assert [(row["task"], row["method"]) for row in rows] == [
        ("caption", "lora"), ("caption", "aligned"), ("vqa", "lora"), ("vqa", "aligned")]
    attention = read_json(project.folder / f"data/predictions/{JOINT}-lora-0.attention.json")
    assert [bool(attention[task]["images"]) for task in ("caption", "vqa")] == [True, True]
    page = (project.folder / "plots/report.html").read_text()
    assert "Trained on captions and questions together: lora" in page


def test_the_commands_find_the_checkpoint(together: tuple[Project, str]) -> None:
    project, _ = together
    image = next(Path(project.folder / "data/raw/images/test").iterdir())
    assert project.run("vltune", "caption", str(image), "--method", "lora").strip()
    project.run("vltune", "answer", str(image), "Is there a tent?", "--method", "lora")
    assert "accuracy" in project.run("vltune", "compare", "--task", "vqa")
