"""The audit: it passes every method, repeats after a stop, and names the tensor where a training is not what
it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import trainable
from vltune.methods import interface
from vltune.model.loading import load_decoder
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.training import train as fitting
from vltune.training.audit import Audit, check_gradients
from vltune.training.loop import Trainer

LORA = trainable.settings_of("lora")


@pytest.fixture
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    return tmp_path


def fit(method: str, **change: object) -> dict:
    fitting.train_stage(method, trainable.settings_of(method, **change), "caption", 0, trainable.TRAIN, None)
    return read_json(paths.checkpoint(method, "caption", 0) / "checkpoint.json")


@pytest.mark.usefixtures("project")
def test_every_method_passes_and_freezes_the_same_bits() -> None:
    found = {method: fit(method) for method in interface.names()}
    of_base = ("full", "norm")  # these train tensors of the base itself, so fewer of them are frozen
    frozen = {one["audit"]["frozen_sha256"] for name, one in found.items() if name not in of_base}
    assert len(frozen) == 1
    assert found["full"]["audit"]["frozen_sha256"] is None
    for one in found.values():
        assert one["audit"]["formula"] == one["trained_parameters"]
    assert found["connector"]["audit"]["trained_tensors"] == 0
    assert fit("prefix", reparametrization=6)["audit"]["frozen_sha256"] in frozen


def test_a_training_that_goes_on_is_audited_from_the_base(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fit("lora")
    keep = Trainer._keep
    monkeypatch.setattr(
        Trainer, "_keep", lambda self, scratch: [keep(self, scratch), self.state.step == 2 and 1 / 0]
    )
    with pytest.raises(ZeroDivisionError):
        fit("lora")
    monkeypatch.undo()
    monkeypatch.chdir(project)
    state = next(Path(".work/lora-caption-0").glob("*/state.safetensors"))
    assert state.is_file()
    assert json.dumps(fit("lora")) == json.dumps(expected)


@pytest.fixture
def watched(tiny: Path) -> tuple:
    """A decoder with LoRA in it, and the audit that has seen it loaded."""
    decoder = load_decoder(tiny / "decoder")
    audit = Audit(decoder)
    names = interface.attach(decoder, LORA, torch.Generator().manual_seed(0))
    return decoder, audit, interface.trained_parameters(decoder, names)


def count(decoder) -> int:
    return LORA.count(decoder.config)


def finished(decoder, audit, trained, moment: float = 1.0) -> dict:
    for one in trained.values():
        one.data += 1
    moments = {one: {"exp_avg_sq": moment * torch.ones(1)} for one in trained.values()}
    return audit.finished(decoder, trained, moments, 2, 2)


def test_another_count_than_the_formula_fails(watched) -> None:
    decoder, audit, trained = watched
    with pytest.raises(InputError, match=r"audit: \d+ parameters are trained, the method's formula gives 7"):
        audit.attached(decoder, trained, 7)


def test_a_method_that_changes_the_base_fails(watched) -> None:
    decoder, audit, trained = watched
    decoder.blocks[1].attention.q.base.weight.data[0, 0] += 1
    with pytest.raises(
        InputError, match=r"audit: blocks\.1\.attention\.q\.weight is frozen, but has changed"
    ):
        audit.attached(decoder, trained, count(decoder))


def test_a_method_that_replaces_a_tensor_fails(watched) -> None:
    decoder, audit, trained = watched
    decoder.norm.weight = torch.nn.Parameter(decoder.norm.weight.detach().clone())
    with pytest.raises(InputError, match=r"audit: norm\.weight is frozen, but is no longer in the decoder"):
        audit.attached(decoder, trained, count(decoder))


def test_a_frozen_tensor_that_moves_by_a_bit_fails(watched) -> None:
    decoder, audit, trained = watched
    audit.attached(decoder, trained, count(decoder))
    weight = decoder.blocks[0].mlp.up.weight.data
    weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(2.0))
    with pytest.raises(InputError, match=r"audit: blocks\.0\.mlp\.up\.weight is frozen, but has changed"):
        finished(decoder, audit, trained)


def test_frozen_tensors_that_a_method_adds_are_watched(watched) -> None:
    decoder, audit, trained = watched
    decoder.blocks[0].after_mlp.register_parameter("scale", torch.nn.Parameter(torch.ones(2)))
    audit.attached(decoder, trained, count(decoder))
    decoder.blocks[0].after_mlp.scale.data[1] = 2
    with pytest.raises(InputError, match=r"audit: blocks\.0\.after_mlp\.scale is frozen, but has changed"):
        finished(decoder, audit, trained)


def test_a_trained_tensor_that_learns_nothing_fails(watched) -> None:
    decoder, audit, trained = watched
    audit.attached(decoder, trained, count(decoder))
    with pytest.raises(
        InputError, match=r"attention\.q\.a is declared as trained, but its gradient was zero in every step"
    ):
        finished(decoder, audit, trained, moment=0.0)


def test_a_trained_tensor_that_does_not_change_fails(watched) -> None:
    decoder, audit, trained = watched
    audit.attached(decoder, trained, count(decoder))
    start = trained["blocks.0.attention.q.a"].detach().clone()
    finished(decoder, audit, trained)
    trained["blocks.0.attention.q.a"].data = start
    with pytest.raises(
        InputError, match=r"blocks\.0\.attention\.q\.a is declared as trained, but has not changed"
    ):
        audit.finished(decoder, {}, {}, 2, 2)


@pytest.mark.usefixtures("project")
def test_a_tensor_without_a_gradient_fails_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = load_decoder(Path("data/base/decoder"))
    with pytest.raises(InputError, match=r"audit: norm\.weight is declared as trained, but gets no gradient"):
        check_gradients({"norm.weight": decoder.norm.weight})
    monkeypatch.setattr(interface.method("lora").LAYER, "forward", lambda self, x: self.base(x))
    with pytest.raises(
        InputError, match=r"decoder\.blocks\.0\.attention\.q\.a is declared as trained, but gets no gradient"
    ):
        fit("lora")
    assert not paths.checkpoint("lora", "caption", 0).exists()


@pytest.mark.usefixtures("project")
def test_a_rate_of_zero_is_named() -> None:
    with pytest.raises(
        InputError,
        match=r"q\.a is declared as trained, but its gradient was zero in every step; is learning_rate zero",
    ):
        fit("lora", learning_rate=0.0)
