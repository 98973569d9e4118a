"""One frozen decoder, many runs on it: read once, shared, never written to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import repository
from vltune.commands import inference
from vltune.methods import checkpoint, interface
from vltune.model import tensors
from vltune.model.loading import load_decoder, share
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.paths import DECODER, ENCODER


@pytest.fixture(scope="module")
def root(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository.make(tmp_path_factory.mktemp("repository"), tiny)


@torch.inference_mode()
def logits(vlm: VisionLanguageModel) -> torch.Tensor:
    features = torch.randn(2, 4, 64, generator=torch.Generator().manual_seed(1))
    x = vlm.embed_images(features)
    count = x.shape[1]
    mask = torch.ones(count, count, dtype=torch.bool).tril()
    hidden = vlm.decoder(x, torch.arange(count).expand(2, count), mask.expand(2, 1, count, count))
    return vlm.decoder.logits(hidden)


def test_one_base_serves_all_runs_and_stays_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(inference, "load_decoder", lambda folder: read.append(folder) or load_decoder(folder))
    base = inference.Base(root, "float32")
    before = {name: one.clone() for name, one in base.decoder.state_dict().items()}
    first = logits(base.vlm("lora", "caption", 0))
    runs = [(method, task, 0) for method in interface.names() for task in ("caption", "vqa")]
    said = {run: logits(base.vlm(*run)) for run in runs}
    assert len({one.sum().item() for one in said.values()}) == len(runs)  # each run says something else
    assert torch.equal(said["lora", "caption", 0], first)
    for run in runs:  # back and forth, and as if each had been loaded alone
        assert torch.equal(logits(base.vlm(*run)), said[run])
        folder = inference.find(root, *run)
        alone = checkpoint.load(
            folder, root / DECODER, read_json(folder / "checkpoint.json")["base"], torch.float32
        )
        assert torch.equal(logits(alone), said[run])
    assert read == [root / DECODER]
    assert list(base.decoder.state_dict()) == list(before)
    assert all(torch.equal(one, before[name]) for name, one in base.decoder.state_dict().items())


def test_a_model_reads_each_file_of_weights_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(tensors, "load_file", lambda path: read.append(path) or load_file(path))
    inference.Model(root, "lora", "caption", 0, None)
    folders = [root / ENCODER, root / DECODER, root / "models/lora/caption-0"]
    assert sorted(read) == sorted(folder / "model.safetensors" for folder in folders)


def test_shared_tensors_take_no_memory_of_their_own(root: Path) -> None:
    base = inference.Base(root, "float32")
    of_base = {one.data_ptr() for one in base.decoder.parameters()}
    shared = {
        method: sum(one.data_ptr() in of_base for one in base.vlm(method, "caption", 0).decoder.parameters())
        for method in interface.names()
    }
    # these two train tensors of the base itself
    own = {"full": len(of_base), "norm": 2 * base.decoder.config.layers}
    assert shared == {name: len(of_base) - own.get(name, 0) for name in interface.names()}


def test_what_is_put_into_a_shared_decoder_leaves_the_first_alone(tiny: Path) -> None:
    first = load_decoder(tiny / "decoder")
    second = share(first)
    weight = first.blocks[0].mlp.up.weight.clone()
    second.blocks[0].mlp.up.weight.data = torch.zeros_like(weight)
    second.blocks[0].after_mlp = torch.nn.Linear(32, 32)
    second.norm.weight.requires_grad_(False)
    assert torch.equal(first.blocks[0].mlp.up.weight, weight)
    assert isinstance(first.blocks[0].after_mlp, torch.nn.Identity)
    assert first.norm.weight.requires_grad


def test_in_half_precision_the_base_is_shared_too(root: Path) -> None:
    base = inference.Base(root, "bf16")
    before = {name: one.clone() for name, one in base.decoder.state_dict().items()}
    for method in interface.names():
        vlm = base.vlm(method, "caption", 0)
        assert {one.dtype for one in vlm.decoder.parameters()} == {torch.bfloat16}
        logits(vlm)
    assert all(torch.equal(one, before[name]) for name, one in base.decoder.state_dict().items())


@pytest.mark.parametrize(("run", "message"), [
    (("lroa", "caption", 0),
     r"unknown method 'lroa' \(did you mean 'lora'\?\); the methods are adapter, .*aligned"),
    (("lora", "captoin", 0),
     r"unknown task 'captoin' \(did you mean 'caption'\?\); the tasks are caption, vqa"),
    (("lora", "caption", 7),
     r"lora/caption-7: no such checkpoint; existing ones: adapter caption-0, .*`dvc repro train_lora`"),
    (("aligned", "caption", 7), "`dvc repro align`"),
])
def test_a_run_that_is_not_there_is_named(root: Path, run: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        inference.find(root, *run)


def test_without_any_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="existing ones: none"):
        inference.find(tmp_path, "lora", "caption", 0)


def test_another_decoder_and_another_encoder_are_named(tiny: Path, tmp_path: Path) -> None:
    root = repository.make(tmp_path / "it", tiny)
    path = root / "models/lora/caption-0/checkpoint.json"
    content = read_json(path)
    write_json(path, content | {"base": content["base"] | {"decoder": "0" * 64}})
    with pytest.raises(InputError, match=r"made for another base: decoder was '0{64}'"):
        inference.Base(root, "float32").vlm("lora", "caption", 0)
    write_json(
        path,
        content
        | {
            "base": content["base"] | {"features": content["base"]["features"] | {"weights_sha256": "1" * 64}}
        },
    )
    with pytest.raises(InputError, match=r"trained with another encoder: weights_sha256 was '1{64}'"):
        inference.FeatureExtractor(root, path.parent)
    write_json(path, {"attach": "lora"})
    with pytest.raises(InputError, match=r"checkpoint\.json: the whole\[0\] has no 'settings'"):
        inference.described(path.parent)
