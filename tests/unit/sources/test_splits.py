"""Val selects, test is reported: training and alignment open no file of the test split, and only prediction
names it."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import trainable
from contracts.graph import ROOT, closure
from vltune.methods import interface
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import TASKS, load
from vltune.prediction.explain import Attention
from vltune.prediction.forgetting import Costs
from vltune.prediction.predict import Predict, predict
from vltune.training.train import train_stage

opened: list[str] = []
watching: list[bool] = []  # an audit hook can't be taken off, only told to look away


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Every file that Python opens in this test, memory-mapped ones too, relative to the project."""
    def hook(event: str, given: tuple) -> None:
        if watching and event in ("open", "os.listdir", "os.scandir") and isinstance(given[0], str | Path):
            opened.append(str(given[0]))

    sys.addaudithook(hook)
    monkeypatch.chdir(tmp_path)
    opened.clear()
    watching.append(True)
    yield opened
    watching.clear()


def of_test(files: list[str]) -> list[str]:
    return [
        file for file in files if re.search(r"(^|[/_])test(\.|/|$)", file) and "site-packages" not in file
    ]


@pytest.mark.parametrize("task", TASKS)
def test_training_opens_no_file_of_the_test_split(watch: list[str], tiny: Path, task: str) -> None:
    trainable.make(tiny)
    trainable.write_split("test", 4)
    watch.clear()
    for method in interface.names():
        train_stage(method, trainable.settings_of(method), task, 0, trainable.TRAIN, None)
    read = [file for file in watch if file.startswith("data/raw") or "features" in file]
    assert {"data/features/train.npy", "data/features/val.npy", "data/raw/captions_val.json"} <= set(read)
    assert not of_test(read)


def test_training_needs_no_test_split_and_prediction_opens_it(watch: list[str], tiny: Path) -> None:
    """The same watch sees prediction read the test split, so it would see training."""
    trainable.make(tiny)
    train_stage("lora", trainable.settings_of("lora"), "caption", 0, trainable.TRAIN, None)
    settings = load(Predict, "predict", ROOT / "params.yaml")
    explained, measured = (load(section, name, ROOT / "params.yaml")
                           for section, name in ((Attention, "attention"), (Costs, "costs")))
    with pytest.raises(InputError, match=r"data/features/test\.json: no such file"):
        predict("lora", "caption", 0, settings, explained, measured)
    trainable.write_split("test", 4)
    watch.clear()
    predict("lora", "caption", 0, settings.model_copy(update={"max_new_tokens": 3}), explained, measured)
    assert {"data/features/test.npy", "data/raw/captions_test.json"} <= set(of_test(watch))


@cache
def names_the_test_split(file: Path) -> bool:
    """Whether a text of the code (no docstring) names it."""
    tree = ast.parse(file.read_text())
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node.value for node in ast.walk(tree)
             if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements]
    return any(re.fullmatch(r"test|.*[/_]test([./].*)?", text) for text in texts)


@pytest.mark.parametrize(("stage", "expected"), [
    ("align", set()), ("train", set()), ("summary", set()),
    ("evaluate", {"metrics/caption.py"}),  # the images that CLIP compares with captions
    ("predict", {"prediction/predict.py"}),
    ("report", {"report/gallery.py"}),  # the pictures beside what was said of them
])
def test_only_prediction_names_the_test_split(stage: str, expected: set[str]) -> None:
    """Of the files that a stage runs; fetch and preprocess make all splits, in a loop over
    `records.SPLITS`."""
    script = ROOT / f"stages/{stage}.py"
    methods = {ROOT / f"src/vltune/methods/{name}.py" for name in interface.names()}
    found = {
        file.relative_to(ROOT / "src/vltune").as_posix()
        for file in closure(script) | methods
        if names_the_test_split(file)
    }
    # scene_records holds what captions are checked against; who scores or reads scores imports it
    assert found - {"pipeline/records.py", "metrics/scene_records.py"} == expected
    assert not names_the_test_split(script)


def test_no_file_that_training_runs_goes_through_all_splits() -> None:
    for stage in ("align", "train", "predict"):
        users = [
            file
            for file in closure(ROOT / f"stages/{stage}.py")
            if file.name != "records.py" and "SPLITS" in file.read_text()
        ]
        assert users == []
