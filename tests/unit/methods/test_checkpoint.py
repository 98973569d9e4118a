"""Checkpoints that do not fit, and words on the command line that mean nothing, are refused with a reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from contracts.graph import ROOT
from vltune.methods import checkpoint
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json

LORA = {
    "learning_rate": 0.01, "projector_learning_rate": 0.01, "rank": 2, "alpha": 4.0, "dropout": 0.0,
    "targets": ["q"],
}
SIGNATURE = {"tokens": 4, "width": 32, "precision": "float32"}


@pytest.fixture
def saved(tiny: Path, tmp_path: Path) -> Path:
    """A checkpoint of LoRA on the tiny base."""
    from vltune.methods import interface
    from vltune.pipeline.params import check

    vlm = checkpoint.build(tiny / "decoder", 4, 32, 5, 2, torch.float32)
    settings = check(interface.method("lora"), "lora", LORA)
    names = interface.attach(vlm.decoder, settings, torch.Generator().manual_seed(0))
    checkpoint.write(tmp_path / "run", checkpoint.tensors_of(vlm, names), {
        "attach": "lora", "settings": LORA, "base": checkpoint.base_of(tiny / "decoder", SIGNATURE)})
    return tmp_path / "run"


def load(folder: Path, tiny: Path, **change) -> None:
    checkpoint.load(
        folder, tiny / "decoder", checkpoint.base_of(tiny / "decoder", SIGNATURE | change), torch.float32
    )


def test_a_checkpoint_fits_its_own_base(saved: Path, tiny: Path) -> None:
    load(saved, tiny)


def test_a_checkpoint_from_before_the_key_dropout_is_read(saved: Path, tiny: Path) -> None:
    content = read_json(saved / "checkpoint.json")
    del content["settings"]["dropout"]
    write_json(saved / "checkpoint.json", content)
    load(saved, tiny)


def test_features_of_another_kind_are_named(saved: Path, tiny: Path) -> None:
    with pytest.raises(
        InputError, match=r"run: made for another base: features\.precision was 'float32', here it is 'bf16'"
    ):
        load(saved, tiny, precision="bf16")


def test_another_decoder_is_named(saved: Path, tiny: Path) -> None:
    base = checkpoint.base_of(tiny / "decoder", SIGNATURE) | {"decoder": "0" * 64}
    with pytest.raises(
        InputError, match=r"run: made for another base: decoder was '[0-9a-f]{64}', here it is '0{64}'"
    ):
        checkpoint.load(saved, tiny / "decoder", base, torch.float32)


def test_a_start_of_another_base_says_what_to_run(saved: Path, tiny: Path) -> None:
    base = checkpoint.base_of(tiny / "decoder", SIGNATURE | {"tokens": 9})
    with pytest.raises(
        InputError, match=r"made for another base: features\.tokens was 4, here it is 9; make it again"
    ):
        checkpoint.begin(saved, tiny / "decoder", base, torch.float32)


def test_a_missing_and_a_cut_checkpoint_are_named(saved: Path, tiny: Path) -> None:
    with pytest.raises(InputError, match=r"elsewhere/checkpoint\.json: no such file"):
        load(saved.parent / "elsewhere", tiny)
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"model\.safetensors"):
        load(saved, tiny)


@pytest.mark.parametrize(("option", "value"), [("--method", "lroa"), ("--task", "captoin"), ("--seed",
    "one")])
def test_an_unknown_word_on_the_command_line_is_named(option: str, value: str) -> None:
    given = {"--method": "lora", "--task": "caption", "--seed": "0"} | {option: value}
    command = [sys.executable, "stages/train.py", *(part for pair in given.items() for part in pair)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert option in ended.stderr
    assert value in ended.stderr
    assert "Traceback" not in ended.stderr
