"""dvc.yaml says what the code does: each stage's files, sections and methods."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from contracts.graph import ROOT, SRC, closure, sections
from vltune.methods import interface
from vltune.pipeline.params import read

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
METHODS = read(ROOT / "params.yaml")["methods"]
EXTRA = sorted(set(interface.names()) - set(METHODS))  # what extra_methods may hold


def script(stage: str) -> Path:
    """The script that a stage's command runs; `exec`, so that no shell stays between dvc and the script."""
    execute, python, path, *_ = STAGES[stage]["cmd"].split()
    assert (execute, python) == ("exec", "python")
    return ROOT / path


def expand(stage: str, text: str) -> list[str]:
    names = {one["name"] for one in STAGES[stage].get("vars", [])}
    own = [text.replace("${name}", name) for name in names] if "${name}" in text else [text]
    methods = EXTRA if "${extra_methods}" in STAGES[stage].get("matrix", {}).values() else METHODS
    return (
        [part.replace("${item.method}", method) for method in methods for part in own]
        if "${item.method}" in text
        else own
    )


def covered(stage: str) -> set[Path]:
    """The files of src and stages that a stage depends on; a folder stands for all code in it."""
    files: set[Path] = set()
    for text in STAGES[stage]["deps"]:
        for name in expand(stage, text):
            if name.startswith(("src/", "stages")):
                path = ROOT / name
                assert path.exists(), f"{stage} depends on {name}, which does not exist"
                files |= {path} if path.is_file() else set(path.rglob("*.py"))
    return files


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_it_imports(stage: str) -> None:
    imported = {script(stage), *closure(script(stage))}
    assert not imported - covered(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_room_that_it_does_not_import(stage: str) -> None:
    rooms = {
        file.relative_to(SRC).parts[1]
        for file in closure(script(stage))
        if len(file.relative_to(SRC).parts) > 2
    }
    assert {
        file.relative_to(SRC).parts[1]
        for file in covered(stage)
        if file.is_relative_to(SRC / "vltune") and len(file.relative_to(SRC).parts) > 2
    } == rooms | ({"methods"} if stage.startswith(("train", "predict")) else set())


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_exactly_the_sections_that_the_script_loads(stage: str) -> None:
    loaded = sections(script(stage))
    if stage == "train_extra":
        loaded |= set(EXTRA)  # each stage of the matrix its own
    elif stage.startswith("train_"):
        method = stage.removeprefix("train_")
        loaded.add(method)  # its own section
        if not interface.method(method).SIZE:
            loaded.remove("budget")  # so that another budget does not train it again
    assert {name for text in STAGES[stage].get("params", []) for name in expand(stage, text)} == loaded


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_named_after_its_script(stage: str) -> None:
    assert stage == script(stage).stem or stage.startswith(f"{script(stage).stem}_")


def test_every_method_has_a_section_and_those_of_the_default_a_stage() -> None:
    stages = {stage.removeprefix("train_") for stage in STAGES if stage.startswith("train_")} - {"extra"}
    assert set(METHODS) == stages
    assert set(interface.names()) <= set(read(ROOT / "params.yaml"))


def test_a_training_stage_depends_on_its_own_method_alone() -> None:
    for method in METHODS:
        own = {file.stem for file in covered(f"train_{method}") if file.parent.name == "methods"}
        assert own == {method, "interface", "checkpoint"}


def test_no_parameter_value_is_pasted_into_a_command() -> None:
    for stage, content in STAGES.items():
        pasted = [part for part in content["cmd"].split() if "${" in part]
        assert set(pasted) <= {"${item.method}", "${item.task}", "${item.seed}", "${name}"}, stage


def test_training_never_depends_on_the_test_split() -> None:
    for stage, content in STAGES.items():
        if stage.startswith(("train_", "align")):
            assert not [
                text for text in content["deps"] if "test" in text or text in ("data/raw", "data/features")
            ], stage


def test_nothing_but_report_and_summary_depends_on_timings() -> None:
    users = {
        stage
        for stage, content in STAGES.items()
        if any(text.startswith("data/resources") for text in content["deps"])
    }
    assert users == {"report", "summary"}


def test_no_stage_depends_on_how_many_processes_run_it() -> None:
    """They compute the same, so another number reruns nothing."""
    assert not [stage for stage, content in STAGES.items() if "launch" in content.get("params", [])]
