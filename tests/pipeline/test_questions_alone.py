"""Questions without captions go all the way: from a table of a user's own to the comparison."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml
from PIL import Image as Picture

from contracts.graph import ROOT
from pipeline.conftest import TINY
from vltune.comparison import runs
from vltune.comparison.compare import compare
from vltune.metrics import vqa
from vltune.pipeline import paths
from vltune.report import note

COLOURS = ("red", "green", "blue", "white")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a stage of the pipeline in this process, in a folder with tiny parameters."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with modify_yaml(tmp_path / "params.yaml") as content:
        for name, values in TINY.items():
            if isinstance(values, dict):
                content[name].update(values)
        content["fetch"].update(dataset="folder", path=str(tmp_path / "own"))

    def run(name: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(ROOT / f"stages/{name}.py"))["main"]()

    return run


def test_questions_alone_go_from_a_table_to_the_comparison(
    tmp_path: Path, stage: Callable[..., None]
) -> None:
    images = tmp_path / "own/images"
    images.mkdir(parents=True)
    rows = ["image,question,answer"]
    for i in range(60):
        colour = COLOURS[i % 4]
        Picture.new("RGB", (40, 30), colour).save(images / f"{i}.png")
        rows += [f"{i}.png,what colour is the wall?,{colour}", f"{i}.png,is it {colour}?,yes"]
    (tmp_path / "own/questions.csv").write_text("\n".join(rows))
    stage("fetch")
    stage("preprocess")
    stage("align", "--task", "vqa")
    stage("train", "--method", "lora", "--task", "vqa", "--seed", "0")
    for method in ("lora", paths.START):
        stage("predict", "--method", method, "--task", "vqa", "--seed", "0")
        stage("evaluate", "--method", method, "--task", "vqa", "--seed", "0")
    result = json.loads(paths.result("lora", "vqa", 0).read_text())
    assert result["signature"]["exact_match"] == result["signature"]["questions"] > 0
    assert result["controls"][vqa.MOST_FREQUENT]["yes/no"]["value"] == 1, "all such answers are yes"
    [comparison] = compare(runs.collect(["lora", paths.START], ["vqa"], [0])[0])
    assert "Every question has a single answer: the accuracy is exact match" in note.note(comparison)
