"""dvc.yaml says what the code does: each stage's files, sections and methods."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from contracts.graph import ROOT, closure, sections
from vltune.methods import interface
from vltune.params import read

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
METHODS = read(ROOT / "params.yaml")["methods"]


def script(stage: str) -> Path:
    """The script that a stage's command runs; `exec`, so that no shell stays between dvc and the script."""
    execute, python, path, *_ = STAGES[stage]["cmd"].split()
    assert (execute, python) == ("exec", "python")
    return ROOT / path


def expand(text: str) -> list[str]:
    return [text.replace("${item.method}", method) for method in METHODS] if "${item.method}" in text else [text]


@pytest.mark.parametrize("stage", STAGES)
def test_code_in_deps_is_exactly_what_the_script_imports(stage: str) -> None:
    listed = {text for text in STAGES[stage]["deps"] if text.startswith(("src/", "stages/"))}
    own = {text for text in listed if text.startswith("src/vltune/methods/") and not text.endswith(("__init__.py", "interface.py"))}
    imported = {str(file.relative_to(ROOT)) for file in [script(stage), *closure(script(stage))]}
    assert listed - own == imported - own
    for text in listed:
        assert all((ROOT / path).is_file() for path in expand(text)), text


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_exactly_the_sections_that_the_script_loads(stage: str) -> None:
    loaded = sections(script(stage))
    if stage.startswith("train_"):
        method = stage.removeprefix("train_")
        loaded.add(method)  # its own section
        if not interface.has_size(method):
            loaded.remove("budget")  # so that another budget does not train it again
    assert set(STAGES[stage].get("params", [])) == loaded


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_named_after_its_script(stage: str) -> None:
    assert stage == script(stage).stem or stage.startswith(f"{script(stage).stem}_")


def test_every_method_has_a_file_a_section_a_stage_and_a_word() -> None:
    stages = {stage.removeprefix("train_") for stage in STAGES if stage.startswith("train_")}
    assert set(interface.names()) == set(METHODS) == stages
    assert stages <= set(read(ROOT / "params.yaml"))


def test_a_training_stage_depends_on_its_own_method_alone() -> None:
    for method in METHODS:
        own = [text for text in STAGES[f"train_{method}"]["deps"] if Path(text).stem in METHODS and "methods" in text]
        assert own == [f"src/vltune/methods/{method}.py"]


def test_no_parameter_value_is_pasted_into_a_command() -> None:
    for stage, content in STAGES.items():
        pasted = [part for part in content["cmd"].split() if "${" in part]
        assert set(pasted) <= {"${item.method}", "${item.task}", "${item.seed}"}, stage


def test_training_never_depends_on_the_test_split() -> None:
    for stage, content in STAGES.items():
        if stage.startswith(("train_", "align")):
            assert not [text for text in content["deps"] if "test" in text or text in ("data/raw", "data/features")], stage


def test_nothing_but_report_and_summary_depends_on_timings() -> None:
    users = {stage for stage, content in STAGES.items() if any(text.startswith("data/resources") for text in content["deps"])}
    assert users == {"report", "summary"}
