"""Every kind of projector with every start: it is written, trained by every method, and loaded again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import repository
import trainable
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.pipeline import paths
from vltune.pipeline.files import read_json
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.prediction.predict import caption
from vltune.training.align import ProjectorSettings, write_start
from vltune.training.train import train_stage

CASES = [(name, start) for name in ("words", "linear", "mlp") for start in ("ridge", "random")]
TENSORS = {
    "words": {"norm", "word_head", "tag_head", "words", "position"}, "linear": {"last"},
    "mlp": {"first", "last"},
}


@pytest.fixture
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    return tmp_path


def start_of(name: str, start: str) -> Path:
    write_start("caption", trainable.ALIGN, ProjectorSettings(kind=name, start=start, fusion="tokens"))
    return paths.checkpoint(paths.START, "caption", 0)


def losses(method: str) -> list[float]:
    recipe = trainable.TRAIN.model_copy(update={"steps": 16, "checkpoint_seconds": 60.0})
    train_stage(method, trainable.settings_of(method), "caption", 0, recipe, None)
    table = paths.curve(method, "caption", 0).read_text().splitlines()
    return [float(line.split("\t")[2]) for line in table[1:]]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("name", "start"), CASES)
def test_every_kind_and_start_trains_and_is_loaded_again(name: str, start: str) -> None:
    description = read_json(start_of(name, start) / "checkpoint.json")
    texts = "captions" if start == "ridge" or name == "words" else None
    assert description["projector"] == {"kind": name, "start": start, "fusion": "tokens", "texts": texts}
    loss = losses("connector")
    assert sum(loss[-4:]) < sum(loss[:4]) - 1
    folder, features = paths.checkpoint("connector", "caption", 0), Features(FEATURES, "val")
    assert read_json(folder / "checkpoint.json")["projector"] == description["projector"]
    vlm = checkpoint.load(folder, DECODER, checkpoint.base_of(DECODER, features.signature), torch.float32)
    parts = {key.split(".")[0] for key, _ in vlm.projector.named_parameters()}
    assert parts == TENSORS[name]
    taken = torch.from_numpy(features.take(features.ids))
    assert len(caption(vlm, taken, Tokenizer(DECODER), 2, 1.0, 5)) == len(features.ids)


@pytest.mark.slow
@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("method", [name for name in repository.SETTINGS if name != "connector"])
def test_every_method_trains_with_an_mlp(method: str) -> None:
    start_of("mlp", "ridge")
    loss = losses(method)
    assert sum(loss[-4:]) < sum(loss[:4]) - 1


@pytest.mark.usefixtures("project")
def test_a_random_map_needs_no_texts() -> None:
    for path in (paths.captions("train"), *paths.questions("train")):
        path.unlink()
    start_of("linear", "random")
