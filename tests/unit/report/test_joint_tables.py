"""Runs that were trained on captions and questions together stand in the tables of both tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from results import write_joint_run, write_questions_run, write_run
from vltune.commands.compare import read_results
from vltune.comparison.choice import trainings
from vltune.comparison.compare import compare
from vltune.comparison.runs import collect
from vltune.comparison.summary import summarize
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.tasks import JOINT
from vltune.report import cards, costs, note, tables

METHODS = ["lora", "prefix"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for method in (*METHODS, paths.START):
        write_joint_run(method)


def test_the_tables_have_both_tasks_and_the_training_once() -> None:
    runs, missing = collect(METHODS, [JOINT], [0])
    assert not missing
    rows = [(task, method) for task in ("caption", "vqa") for method in (*METHODS, paths.START)]
    table = tables.comparison(runs)
    assert list(zip(table["task"], table["method"], strict=True)) == rows
    assert tables.resources(runs)[["task", "method"]].to_numpy().tolist() == [
        [JOINT, "lora"], [JOINT, "prefix"]]
    captions, questions = compare(runs)
    assert captions.first.training == questions.first.training == JOINT
    for comparison in (captions, questions):
        assert "Trained on captions and questions together: lora, prefix; both tasks" in note.note(comparison)
    measured = costs.table(questions, [run for run in runs if run.task == "vqa"])
    assert measured["seconds"].tolist()[:2] == [150.0, 150.0]
    assert not any(table.curve.empty for table in runs if table.method != paths.START)


def test_the_page_finds_the_files_of_the_training() -> None:
    runs, _ = collect(METHODS, [JOINT], [0])
    card = cards.cards(runs)[0]
    assert {output.method for output in card.captions} == {"lora", "prefix", paths.START}
    assert len(card.questions) == 4


def test_the_summary_has_both_tasks_and_the_cost_of_one_training() -> None:
    summarize("lora", [JOINT], [0])
    joint = read_json(Path("metrics/summary.json"))
    assert set(read_json(Path("metrics/cost.json"))) == {JOINT}
    write_run("lora")
    write_questions_run("lora")
    summarize("lora", ["caption", "vqa"], [0])
    assert read_json(Path("metrics/summary.json")) == joint, "so that `dvc metrics diff` compares the two"


def test_a_results_file_of_both_tasks_is_compared_with_separate_ones() -> None:
    write_run("lora")
    write_questions_run("lora")
    files = {"alone": ("caption", "vqa"), "together": (JOINT,)}
    words = [f"{name}={paths.result('lora', task, 0)}" for name, tasks in files.items() for task in tasks]
    comparisons = compare(read_results(words))
    assert [[method.method for method in comparison.methods] for comparison in comparisons] == [
        ["alone", "together"], ["alone", "together"]]
    assert "questions together: together; both tasks" in note.note(comparisons[0])


def test_a_task_is_not_asked_for_twice() -> None:
    with pytest.raises(InputError, match="which are both trained on 'caption'"):
        collect(METHODS, ["caption", JOINT], [0])
    Path("params.yaml").write_text(f"tasks:\n- {JOINT}\n")
    assert trainings("vqa", Path("params.yaml")) == [JOINT]
