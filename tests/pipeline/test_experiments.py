"""Experiments rerun what depends on a change and nothing else; each runs the code of its own revision."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from pipeline.conftest import Project, stages_in
from vltune.pipeline.params import TASKS

MARK = "    write_json(SUMMARY, {"  # a line of comparison/summary.py


def summary_of(project: Project, name: str) -> dict:
    """The summary that an experiment committed; git knows experiments by refs/exps/.../NAME alone."""
    references = project.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    reference = next(reference for reference in references if reference.endswith(f"/{name}"))
    return json.loads(project.run("git", "show", f"{reference}:metrics/summary.json"))


def test_another_method_reruns_the_summary_alone_and_diff_shows_both(project: Project) -> None:
    assert stages_in(project.run("dvc", "exp", "run", "-S", "method=full")) == ["summary"]
    changes = json.loads(project.run("dvc", "metrics", "diff", "--all", "--json"))
    quality, cost = changes["metrics/summary.json"], changes["metrics/cost.json"]
    assert {"old", "new", "diff"} <= set(quality["trained_share"])
    assert quality["trained_share"]["new"] == 1.0
    costs = ("train_seconds", "peak_memory_bytes")
    assert {f"{task}.{name}" for task in TASKS for name in costs} <= set(cost)
    assert {"caption.CIDEr", "vqa.accuracy"} <= set(quality)
    assert quality["method"] == {"old": "lora", "new": "full"}


def test_another_rank_retrains_lora_alone(project: Project) -> None:
    ran = stages_in(project.run("dvc", "exp", "run", "-S", "lora.rank=4"))
    stages = ("train_lora@{}-0", "predict@lora-{}-0", "evaluate@lora-{}-0")
    own = [stage.format(task) for task in TASKS for stage in stages]
    assert sorted(ran) == sorted([*own, "report", "summary"])


def test_an_edit_of_a_method_touches_its_own_stages_alone(project: Project) -> None:
    with (project.folder / "src/vltune/methods/full.py").open("a") as file:
        file.write("# edited\n")
    own = [stage.format(task) for task in TASKS for stage in ("train_full@{}-0", "predict@full-{}-0")]
    assert sorted(json.loads(project.run("dvc", "status", "--json"))) == sorted(own)
    project.run("git", "checkout", "-q", "src")
    project.set("lora", rank=4)
    own = [f"train_lora@{task}-0" for task in TASKS]
    assert sorted(json.loads(project.run("dvc", "status", "--json"))) == sorted(own)


def test_a_budget_trains_the_methods_that_have_a_size(project: Project) -> None:
    trainings = [f"train_{method}" for method in ("adapter", "lora", "prefix", "full", "connector")]
    targets = [*trainings, "evaluate@adapter-caption-0"]
    ran = stages_in(project.run("dvc", "exp", "run", "-S", "budget.trained_parameters=2000", *targets))
    trained = {stage.split("@")[0] for stage in ran if stage.startswith("train_")}
    assert trained == {"train_adapter", "train_lora", "train_prefix"}
    order = ["train_adapter@caption-0", "predict@adapter-caption-0", "evaluate@adapter-caption-0"]
    assert [stage for stage in ran if stage in order] == order
    methods = ("adapter", "lora", "prefix", "full")
    checkpoints = [project.folder / f"models/{method}/caption-0/checkpoint.json" for method in methods]
    budgets = [json.loads(checkpoint.read_text())["budget"] for checkpoint in checkpoints]
    sizes = [budget and budget["size"] for budget in budgets]
    assert sizes == [{"bottleneck": 7}, {"rank": 2}, {"length": 31}, None]


def test_a_loop_of_temporary_experiments_leaves_the_work_tree_alone(project: Project) -> None:
    for method in ("adapter", "full"):  # no fixture has made their summary, which would come from the cache
        output = project.run("dvc", "exp", "run", "--temp", "-n", f"only-{method}", "-S", f"method={method}")
        assert stages_in(output) == ["summary"]
        assert summary_of(project, f"only-{method}")["method"] == method
    assert not project.run("git", "status", "--porcelain")


def test_a_queue_runs_every_experiment_on_the_code_it_was_queued_with(project: Project) -> None:
    file = project.folder / "src/vltune/comparison/summary.py"
    code = file.read_text()
    file.write_text(code.replace(MARK, MARK + ' "of_the_queue": 1,'))
    assert file.read_text() != code
    project.commit()
    queued = project.run("dvc", "exp", "run", "--queue", "-S", "method=adapter,full")
    file.write_text(code)  # what lies in the work tree now must not be what runs
    project.commit()
    project.run("dvc", "exp", "run", "--run-all")
    summaries = [summary_of(project, name) for name in re.findall(r"Queued experiment '([\w-]+)'", queued)]
    assert [summary["method"] for summary in summaries] == ["adapter", "full"], queued
    assert all(summary["of_the_queue"] == 1 for summary in summaries)


def test_another_model_or_data_set_reruns_what_depends_on_it(project: Project, tmp_path: Path) -> None:
    """The models are switched to others of the same form; of the data, the test images change alone."""
    for model in ("encoder", "decoder"):
        shutil.copytree(project.folder / f"data/base/{model}", tmp_path / model)
        weights = tmp_path / model / "model.safetensors"
        save_file({name: 1.01 * tensor for name, tensor in load_file(weights).items()}, weights)
    start = ["align@caption"]
    project.set("fetch", decoder=str(tmp_path / "decoder"))
    assert stages_in(project.run("dvc", "repro", *start)) == ["fetch", *start]
    project.set("fetch", encoder=str(tmp_path / "encoder"))
    assert stages_in(project.run("dvc", "repro", *start)) == ["fetch", "preprocess", *start]
    project.set("scenes", test=9)
    assert stages_in(project.run("dvc", "repro", *start)) == ["fetch", "preprocess"]
