"""Runs of every method, made once and copied, as making them takes longer than most tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from results import ACCURACY, CIDER, METHODS, write_attention, write_questions_run, write_run
from vltune.comparison import trials
from vltune.pipeline import paths
from vltune.report import report as module


@contextmanager
def inside(folder: Path) -> Iterator[Path]:
    """Work in a folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def write_captions(folder: Path) -> None:
    """A run of every method, and test images."""
    with inside(folder):
        for method in CIDER:
            write_run(method)
        images = paths.RAW / "images/test"
        images.mkdir(parents=True)
        for i in range(60):
            Image.new("RGB", (64, 64), ((i * 40) % 256, (i * 90) % 256, 128)).save(images / f"{i:04}.png")


def write_questions(folder: Path) -> None:
    """A run of every method for the question task."""
    with inside(folder):
        for method in ACCURACY:
            write_questions_run(method)


def write_report(folder: Path) -> Path:
    """The whole report of both tasks, with attention and a search; gives the page."""
    with inside(folder):
        path = paths.predictions("lora", "caption", 0)
        path.write_text(path.read_text().replace("lora sees two", "<script>alert(1)</script> two"))
        (paths.RAW / "images/test/0001.png").unlink()
        write_attention("lora")
        trials.write_trials(module.TRIALS, [
            {"method": method, "trial": i, "learning_rate": 0.001 * (i + 1), "val_loss": loss - i / 4,
             "task": "caption", "steps": 60, "seed": 0, "seconds": 1.0, "note": "", "conditions": "0"}
            for method, loss in (("lora", 1.5), ("full", 1.25)) for i in range(2)])
        module.report([*METHODS, "missing"], ["caption", "vqa"], [0], settings={"train": {"steps": 140}})
    return folder / "plots/report.html"


@pytest.fixture(scope="session")
def captions_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    write_captions(folder)
    return folder


@pytest.fixture(scope="session")
def both_made(captions_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(captions_made, folder, dirs_exist_ok=True)
    write_questions(folder)
    return folder


@pytest.fixture(scope="session")
def reported(both_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the report, to look at and not to change."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copytree(both_made, folder, dirs_exist_ok=True)
    write_report(folder)
    return folder


@pytest.fixture
def workspace(captions_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run of every method."""
    shutil.copytree(captions_made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def both(both_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with a run of every method for the question task."""
    shutil.copytree(both_made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
