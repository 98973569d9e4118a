"""vltune forget: on the base's own texts, on a file, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import vltune
from repository import make


@pytest.fixture(scope="module")
def repository(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("forget") / "repository", tiny)


def forget(repository: Path, capsys: pytest.CaptureFixture[str], *options: object) -> dict:
    code, error = vltune("forget", "--root", repository, *options)
    assert (code, error) == (0, "")
    return json.loads(capsys.readouterr().out)


def test_texts_of_the_base(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lora = forget(repository, capsys, "--method", "lora")
    assert (lora["written_by"], lora["texts"], lora["tokens"]) == ("the base", 64, 64 * 16)
    assert 0 < lora["low"] < lora["nats_per_token"] < lora["high"]
    assert forget(repository, capsys, "--method", "lora") == lora
    connector = forget(repository, capsys, "--method", "connector")
    assert (connector["nats_per_token"], connector["low"], connector["high"]) == (0, 0, 0)


def test_a_text_file(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "letters.txt"
    file.write_text("the cat sat on the mat. " * 30)
    said = forget(repository, capsys, "--method", "prefix", "--task", "vqa", "--text", file)
    assert said["written_by"] == str(file)
    assert said["texts"] > 1
    assert said["low"] <= said["nats_per_token"] <= said["high"]


@pytest.mark.parametrize(("content", "message"), [
    (None, "no such file"), (b"too short", "expected more than 129 tokens"), (b"\xff\xfe\xfa", "in UTF-8")])
def test_a_wrong_file_is_refused(
    repository: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "wrong.txt"
    if content is not None:
        file.write_bytes(content)
    code, error = vltune("forget", "--root", repository, "--method", "lora", "--text", file)
    assert code == 1
    assert message in error
