"""The course's decoder against transformers, and its two command lines on a made-up course."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

import course as made
import repository
from contracts.graph import ROOT
from vltune.data.tokenizer import Tokenizer
from vltune.model.loading import load_decoder
from vltune.pipeline.files import read_json
from vltune.sources import course

pytestmark = pytest.mark.slow
TEXTS = ("a red square on green", "A reed's  end\n\nnaïve — 12,345 🙂", " red red", "")


@pytest.fixture(scope="module")
def base(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny encoder and the made-up course's decoder, and the course's files beside it."""
    folder = tmp_path_factory.mktemp("course")
    made.write_decoder(folder / "files/decoder_model.bin")
    made.write_tokenizer(folder / "files")
    course.convert(folder / "files", folder, folder / "base/decoder")
    shutil.copytree(tiny / "encoder", folder / "base/encoder")
    return folder


def test_transformers_reads_the_same_decoder(base: Path) -> None:
    """transformers loads the course's names and layout as they are: they are its own."""
    config = transformers.GPT2Config(
        vocab_size=len(made.TOKENS), n_positions=128, n_embd=64, n_layer=2, n_head=1, attn_pdrop=0.0,
        bos_token_id=0, eos_token_id=0,
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    weights = torch.load(base / "files/decoder_model.bin", weights_only=True)
    theirs.transformer.load_state_dict(weights)
    tokens = torch.tensor([[3, 70, 200, 261, 9]])
    ours = load_decoder(base / "base/decoder")
    with torch.no_grad():
        hidden = ours(ours.embed(tokens, torch.float32), torch.arange(5)[None],
                      torch.ones(5, 5, dtype=torch.bool).tril()[None, None])
        torch.testing.assert_close(ours.logits(hidden), theirs(tokens).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("text", TEXTS)
def test_transformers_reads_the_same_tokens(base: Path, text: str) -> None:
    theirs = transformers.GPT2Tokenizer(str(base / "files/encoder.json"), str(base / "files/vocab.bpe"))
    ours = Tokenizer(base / "base/decoder")
    assert ours.encode(text) == theirs(text)["input_ids"]
    assert ours.end == theirs.eos_token_id


@pytest.fixture
def root(base: Path, tmp_path: Path) -> Path:
    """A repository with trained runs on this decoder, the scripts, and two photographs."""
    root = repository.make(tmp_path / "repository", base / "base")
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / ".venv").symlink_to(sys.prefix)
    repository.draw(root / "photos", "one.jpg", "two.jpg")
    return root


def run(root: Path, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", *map(str, words)], cwd=root.parent, text=True, capture_output=True,
                          check=False, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})


def test_the_command_lines_of_the_course(base: Path, root: Path) -> None:
    photos, weights = root / "photos", base / "files/decoder_model.bin"
    done = run(root, root / "scripts/hw3_1.sh", photos, root / "one.json")
    assert done.returncode == 0, done.stderr
    assert list(read_json(root / "one.json")) == ["one", "two"]
    (root / "data/base").unlink()  # its weights are not needed: those of the course take their place
    shutil.copytree(base / "base", root / "data/base")
    (root / "data/base/decoder/model.safetensors").unlink()
    done = run(root, root / "scripts/hw3_2.sh", photos, root / "two.json", weights)
    assert done.returncode == 0, done.stderr
    captions = read_json(root / "two.json")
    assert list(captions) == ["one", "two"]
    assert all(isinstance(text, str) for text in captions.values())
    assert captions != read_json(root / "one.json"), "full and the chosen method say the same"


def test_another_decoder_is_refused(root: Path, tmp_path: Path) -> None:
    made.write_decoder(tmp_path / "other.bin")
    tensors = torch.load(tmp_path / "other.bin", weights_only=True)
    torch.save({name: tensor + 0.1 for name, tensor in tensors.items()}, tmp_path / "other.bin")
    done = run(root, root / "scripts/hw3_2.sh", root / "photos", root / "two.json", tmp_path / "other.bin")
    assert done.returncode == 1
    assert "made for another base: decoder was" in done.stderr
    assert not (root / "two.json").exists()
    assert "usage: bash" in run(root, root / "scripts/hw3_2.sh", root / "photos").stderr
