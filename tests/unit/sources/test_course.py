"""The course's decoder: equal logits and tokens after conversion, and messages for what is no such file."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

import course as made
from contracts.graph import ROOT
from vltune.data.tokenizer import Tokenizer
from vltune.model.loading import load_decoder
from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import check, read
from vltune.pipeline.paths import DECODER, captions
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources import course
from vltune.sources.fetch import Fetch, fetch
from vltune.sources.pretrained import fetch_decoder
from vltune.sources.scenes.draw import Scenes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with all three files, the weights where an edition has them."""
    folder = tmp_path / "course"
    made.write_decoder(folder / "hw3_data/p2_data/decoder_model.bin")
    made.write_tokenizer(folder)
    return folder


def logits(decoder: torch.nn.Module) -> torch.Tensor:
    tokens = torch.tensor([[3, 70, 200, 261]])
    positions, mask = torch.arange(4)[None], torch.ones(4, 4, dtype=torch.bool).tril()[None, None]
    with torch.no_grad():
        return decoder.logits(decoder(decoder.embed(tokens, torch.float32), positions, mask))


def test_the_decoder_computes_the_same(source: Path, tmp_path: Path) -> None:
    told = fetch_decoder(str(source), tmp_path / "base", tmp_path)
    assert told == {"name": "decoder_model.bin", "of": "NTU DLCV, homework 3"}
    decoder = load_decoder(tmp_path / "base")
    assert decoder.config == made.CONFIG
    torch.testing.assert_close(logits(decoder), logits(made.decoder()), rtol=0, atol=0)


def test_the_tokenizer_merges_as_listed(source: Path, tmp_path: Path) -> None:
    course.convert(source, source, tmp_path / "base")
    tokenizer = Tokenizer(tmp_path / "base")
    assert tokenizer.end == made.TOKENS["<|endoftext|>"]
    assert tokenizer.encode("a red") == [made.TOKENS["a"], made.TOKENS["Ġred"]]
    assert tokenizer.decode([*tokenizer.encode("a reed, naïve 12"), tokenizer.end]) == "a reed, naïve 12"


def test_equal_weights_give_equal_bytes(source: Path, tmp_path: Path) -> None:
    weights = source / "hw3_data/p2_data/decoder_model.bin"
    for name in ("a", "b"):
        course.write_weights(weights, tmp_path / name, 1)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


class Evil:
    def __reduce__(self) -> tuple:
        return print, ("code of a file was run",)


def test_no_code_of_the_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"wte.weight": Evil()}, tmp_path / "decoder_model.bin")
    with pytest.raises(InputError, match=r"decoder_model\.bin: cannot be read as weights: it is damaged, or"):
        course.write_weights(tmp_path / "decoder_model.bin", tmp_path / "base", 1)
    (tmp_path / "plain.bin").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(InputError, match=r"plain\.bin: cannot be read as weights"):
        read_tensors(tmp_path / "plain.bin")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("content", "message"), [
    ([torch.zeros(1)], "expected tensors by their names, found list"),
    ({"a": torch.zeros(1)}, r"has no matrix wte\.weight; expected GPT-2's weights"),
    ({"wte.weight": torch.zeros(5, 64), "wpe.weight": torch.zeros(9, 64),
      "h.0.mlp.c_fc.weight": torch.zeros(256, 64)}, "is 256 x 64 and the embeddings are 64 wide; expected"),
])
def test_other_weights_are_named(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "decoder_model.bin")
    with pytest.raises(InputError, match=message):
        course.write_weights(tmp_path / "decoder_model.bin", tmp_path / "base", 1)


def test_missing_files_are_named(source: Path, tmp_path: Path) -> None:
    (source / "vocab.bpe").unlink()
    with pytest.raises(InputError, match=r"vocab\.bpe: no such file, nor in .*; it is in the course's repos"):
        course.convert(source, tmp_path, tmp_path / "base")
    (source / "vocab.bpe").write_text("#version\nĠ a\nthree tokens here\n")
    with pytest.raises(InputError, match=r"vocab\.bpe: line 3: expected two tokens with a space between"):
        course.convert(source, tmp_path, tmp_path / "base")
    (source / "vocab.bpe").write_text("Ġ unknowable\n")
    with pytest.raises(InputError, match=r"do not fit each other"):
        course.convert(source, tmp_path, tmp_path / "base")
    (source / "encoder.json").write_text(json.dumps({"a": 0}))
    with pytest.raises(InputError, match=r"encoder\.json: expected an object {token: id} whose last id"):
        course.convert(source, tmp_path, tmp_path / "base")


def test_the_archive_brings_data_and_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """encoder.json and vocab.bpe lie beside the archive, as they come from the course's repository."""
    archive = made.make(tmp_path)
    monkeypatch.setenv("VLTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    asked = {"dataset": "hw3", "path": str(archive), "encoder": "tiny", "decoder": "hw3"}
    params = read(ROOT / "params.yaml")
    with pytest.raises(InputError, match=r"'fetch\.decoder' = 'hw3': the decoder is in the course's data"):
        fetch(check(Fetch, "fetch", params["fetch"] | {"encoder": "tiny", "decoder": "hw3"}), None)
    fetch(check(Fetch, "fetch", params["fetch"] | asked), check(Scenes, "scenes", params["scenes"]))
    torch.testing.assert_close(logits(load_decoder(DECODER)), logits(made.decoder()), rtol=0, atol=0)
    images = [len(read_captions(captions(split)).images) for split in SPLITS]
    assert images[0] == 24
    assert sum(images[1:]) == 12
    assert read_json(DECODER.parent / "SOURCE.json")["decoder"]["name"] == "decoder_model.bin"
