"""What the stage leaves of a trained method and of the aligned start, on a tiny base."""

from __future__ import annotations

from pathlib import Path

import pytest

import trainable
from contracts.graph import ROOT
from vltune.pipeline import paths
from vltune.pipeline.files import read_json
from vltune.pipeline.params import check, read
from vltune.prediction.explain import Attention
from vltune.prediction.forgetting import Costs
from vltune.prediction.predict import Predict, predict
from vltune.training.train import train_stage

PARAMS = read(ROOT / "params.yaml")
SMALL = {"beams": 2, "max_new_tokens": 3, "max_answer_tokens": 3, "batch_size": 2, "precision": "float32"}
SETTINGS = check(Predict, "predict", PARAMS["predict"] | SMALL)
ATTENTION = check(Attention, "attention", PARAMS["attention"] | {"images": 2})
COSTS = Costs(prompts=3, tokens=2, seed=0, timed_images=2)


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained run of LoRA, prefix and connector for both tasks, and their predictions."""
    folder = tmp_path_factory.mktemp("predicted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trainable.make(tiny)
        trainable.write_split("test", 5)
        for task in ("caption", "vqa"):
            for method in ("lora", "prefix", "connector"):
                train_stage(method, trainable.settings_of(method), task, 0, trainable.TRAIN, None)
                predict(method, task, 0, SETTINGS, ATTENTION, COSTS)
            predict(paths.START, task, 0, SETTINGS, ATTENTION, COSTS)
    return folder


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_every_trained_run_has_its_costs(trained: Path, task: str) -> None:
    for method in ("lora", "prefix", "connector"):
        run = (method, task, 0)
        forgotten = read_json(trained / paths.predictions(*run).with_suffix(".forgetting.json"))
        assert len(forgotten["divergence"]) == 3
        assert forgotten["base_bytes"] == (trained / paths.DECODER / "model.safetensors").stat().st_size
        assert all(value == 0 if method == "connector" else value > 0 for value in forgotten["divergence"])
        speed = read_json(trained / paths.speed(*run))
        assert speed["texts"] == 2
        assert (speed["merged_per_second"] is None) == (method == "prefix")
    assert not (trained / paths.predictions(paths.START, task, 0).with_suffix(".forgetting.json")).exists()
    assert not (trained / paths.speed(paths.START, task, 0)).exists()


def test_the_start_answers_with_one_of_the_training_answers(trained: Path) -> None:
    answers = [row["answer"] for row in read_json(trained / paths.predictions(paths.START, "vqa", 0))]
    assert len(answers) == 5
    assert set(answers) <= set(trainable.THINGS)
