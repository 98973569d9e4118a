"""The end of `make repro`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from contracts.graph import ROOT
from results import write_questions_run, write_run
from vltune.cli import app
from vltune.commands.conclusion import conclusion
from vltune.commands.terminal import WIDTH


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with results of five methods."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for method in ("adapter", "lora", "prefix", "full", "connector", "aligned"):
        write_run(method)
        write_questions_run(method)
    images = tmp_path / "data/raw/images/test"
    images.mkdir(parents=True)
    (images / "0007.png").touch()
    return tmp_path


@pytest.mark.usefixtures("finished")
def test_it_has_the_answer_of_each_task_the_page_and_commands_that_exist() -> None:
    text = conclusion()
    lines = text.splitlines()
    assert [line.split()[0] for line in lines if line[:1].strip()] == ["caption", "vqa", "page", "next"]
    assert lines[0].startswith("caption   Compared with full, which trains")
    assert "page      plots/report.html" in lines
    assert max(map(len, lines)) <= WIDTH
    assert "vltune caption data/raw/images/test/0007.png --method lora" in text
    assert re.search(r"dvc exp run -S method=(adapter|prefix|full|connector) ", text)
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert {"caption", "demo"} == set(re.findall(r"vltune (\w+)", text)) <= known


def test_results_from_elsewhere_are_read_from_their_root(
    finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory,
) -> None:
    here = conclusion()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert conclusion(finished) == here
