"""params.yaml: its form, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from contracts.graph import ROOT
from vltune.methods import interface
from vltune.pipeline.errors import InputError
from vltune.pipeline.launch import Launch
from vltune.pipeline.params import check, choice, load, read
from vltune.prediction.explain import Attention
from vltune.prediction.predict import Predict
from vltune.preprocessing.settings import Preprocess
from vltune.report.page import Report
from vltune.training.align import Align, ProjectorSettings
from vltune.training.budget import Budget
from vltune.training.train import Train

PARAMS = ROOT / "params.yaml"
TRAIN = read(PARAMS)["train"]
LORA = interface.method("lora")


def test_experiments_change_one_line_only(tmp_path: Path) -> None:
    """`dvc exp run -S` rewrites the file: any other form than its own would make a diff of everything."""
    copy = tmp_path / "params.yaml"
    copy.write_text(PARAMS.read_text())
    with modify_yaml(copy) as content:
        content["lora"]["rank"] = 77
    before, after = PARAMS.read_text().splitlines(), copy.read_text().splitlines()
    assert len(before) == len(after)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.partition("#")[0].rstrip() for line in changed] == ["  rank: 77"]


@pytest.mark.parametrize(("kind", "name"), [(Preprocess, "preprocess"), (Align, "align"), (Train, "train"),
    (ProjectorSettings, "projector"),
    (Budget, "budget"), (Launch, "launch"),
                                           (Predict, "predict"), (Attention, "attention"), (Report, "report"),
                                           *((interface.method(name), name) for name in interface.names())])
def test_sections_hold_exactly_the_fields(kind: type, name: str) -> None:
    assert set(read(PARAMS)[name]) == set(load(kind, name, PARAMS).model_dump())
    required = [field for field, one in kind.model_fields.items() if not one.is_required()]
    assert required == [], "a number has one place, params.yaml: no defaults in the code"


@pytest.mark.parametrize(("change", "message"), [
    ({"stepz": 1},
     r"unknown key 'stepz' in section 'train' \(did you mean 'steps'\?\); valid keys: steps, batch_size"),
    ({"steps": None}, r"'train\.steps' = None: input should be a valid integer"),
    ({"steps": "12"}, r"'train\.steps' = '12': input should be a valid integer"),
    ({"steps": 0}, r"'train\.steps' = 0: input should be greater than or equal to 1"),
    ({"steps": True}, r"'train\.steps' = True: input should be a valid integer"),
    ({"warmup_share": 1.5}, r"'train\.warmup_share' = 1\.5: input should be less than or equal to 1"),
    ({"clip_norm": float("nan")}, r"'train\.clip_norm' = nan"),
    ({"precision": "bf17"}, r"'train\.precision' = 'bf17': input should be 'auto', 'bf16' or 'float32'"),
])
def test_wrong_values_are_named(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(Train, "train", TRAIN | change)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match="key 'batch_size' is missing in section 'train'"):
        check(Train, "train", {key: value for key, value in TRAIN.items() if key != "batch_size"})


def test_all_faults_of_a_section_are_named_at_once() -> None:
    with pytest.raises(InputError, match=r"'rank'.*'alpah'"):
        check(
            LORA,
            "lora",
            {
                "alpah": 2.0, "dropout": 0.0, "targets": ["q"], "learning_rate": 0.1,
                "projector_learning_rate": 0.1,
            },
        )


@pytest.mark.parametrize(("text", "message"), [
    ("trian:\n  steps: 1\n", r"section 'train' is missing \(did you mean 'trian'\?\)"),
    ("train: 3\n", "section 'train' must hold keys, found 3"),
    ("- 1\n", "expected a mapping of sections, found list"),
    ("train: [1\n", "not valid YAML"),
])
def test_wrong_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load(Train, "train", tmp_path / "params.yaml")


def test_no_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"params\.yaml: no such file; run from the root of the repository"):
        load(Train, "train", tmp_path / "params.yaml")


def test_an_unknown_choice_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("method: lroa\n")
    with pytest.raises(
        InputError, match=r"unknown method 'lroa' \(did you mean 'lora'\?\); choose one of adapter, lora"
    ):
        choice("method", ["adapter", "lora"], tmp_path / "params.yaml")


SCALARS = (
    "1e-3 1E5 1.0 1. .5 -.5 +1 -1 012 007 08 -012 0o17 +0o7 0o8 0x1F -0x1 0xg 0b11 0b12 1_000 1_0.5 1:30 0 "
    "00 -0 + . .. 1.2.3 1e 1e+ 1e3 "
    "12e03 -2E+05 1e400 yes no on off y n Yes true True TRUE tRue false null Null NULL ~ .inf -.inf +.inf "
    ".Inf .nan .NaN inf nan "
    "2026-11-26 2001-12-14t21:59:43Z '1' \"1\" word"
).split()


@pytest.mark.parametrize("text", [*SCALARS, "", "two words", "[1e-3, yes, ]", "{a: 1e-3, b: ~}", "|\n  1\n",
    "&x 1", "!!str 1", "!!float 1"])
def test_scalars_are_read_as_dvc_reads_them(tmp_path: Path, text: str) -> None:
    """DVC reads params.yaml with ruamel.yaml (YAML 1.2), vltune with PyYAML: the same value of the same
    type."""
    file = tmp_path / "params.yaml"
    file.write_text(f"key: {text}\n")
    theirs, ours = YAML(typ="safe").load(file)["key"], read(file)["key"]
    assert type(ours) is type(theirs)
    assert ours == theirs or (ours != ours and theirs != theirs)  # not a number


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "s: {a: 1, a: 2}\n", "s:\n  a: 1\n  a: 2\n"])
def test_a_repeated_key_is_refused_as_dvc_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match="key 'a' stands twice"):
        read(tmp_path / "params.yaml")
    with pytest.raises(YAMLError):
        YAML(typ="safe").load(tmp_path / "params.yaml")


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: &x {b: 1, c: 3}\nd: {<<: *x, b: 2}\n")
    assert read(tmp_path / "params.yaml")["d"] == {"b": 2, "c": 3}


def test_an_old_name_gets_the_new_one() -> None:
    old = {
        "alpha": 2.0, "dropout": 0.0, "targets": ["q"], "learning_rate": 0.1, "connector_learning_rate": 0.1,
    }
    with pytest.raises(
        InputError,
        match="'connector_learning_rate' in section 'lora' is now called 'projector_learning_rate'",
    ):
        check(LORA, "lora", old)


def test_scientific_notation_is_a_number(tmp_path: Path) -> None:
    """PyYAML reads 1e-3 as text; DVC and this project read YAML 1.2."""
    (tmp_path / "params.yaml").write_text("a: 1e-3\n")
    assert read(tmp_path / "params.yaml") == {"a": 0.001}
