"""README.md shows what the pipeline wrote, and names what is there."""

from __future__ import annotations

import re

import pytest

from contracts.graph import ROOT
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import read
from vltune.report.readme import insert

README = (ROOT / "README.md").read_text()


def test_the_result_is_what_the_pipeline_wrote() -> None:
    assert insert(README, (ROOT / "metrics/comparison.md").read_text()) == README, "run `make readme`"


def test_the_picture_of_the_graph_has_every_stage() -> None:
    picture = README.split("```mermaid\n")[1].split("```")[0]
    assert set(re.findall(r"[a-z_]+", picture)) - {"flowchart"} >= set(read(ROOT / "dvc.yaml")["stages"])


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(InputError, match=r"README.md: expected the marks"):
        insert("# a page", "a table")


def test_every_target_and_file_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= targets
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
