"""Questions without captions go all the way: from a table of a user's own to the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml
from PIL import Image as Picture

from pipeline.conftest import fresh, stages_in

COLOURS = ("red", "green", "blue", "white")


@pytest.mark.slow
def test_questions_alone_go_from_a_table_to_the_report(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "images").mkdir(parents=True)
    rows = ["image,question,answer"]
    for i in range(60):
        colour = COLOURS[i % 4]
        Picture.new("RGB", (40, 30), colour).save(own / f"images/{i}.png")
        rows += [f"{i}.png,what colour is the wall?,{colour}", f"{i}.png,is it {colour}?,yes"]
    (own / "questions.csv").write_text("\n".join(rows))
    project = fresh(tmp_path / "vltune")
    project.set("fetch", dataset="folder", path=str(own))
    with modify_yaml(project.folder / "params.yaml") as content:
        content["tasks"] = ["vqa"]
    project.run("git", "commit", "-qam", "questions alone")
    ran = stages_in(project.run("dvc", "repro"))
    assert "align@vqa" in ran
    assert not [stage for stage in ran if "caption" in stage]
    result = json.loads((project.folder / "data/results/lora/vqa-0.json").read_text())
    assert result["signature"]["exact_match"] == result["signature"]["questions"] > 0
    page = (project.folder / "metrics/comparison.md").read_text()
    assert "Every question has a single answer: the accuracy is exact match after normalisation" in page
