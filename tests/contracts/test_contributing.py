"""The worked examples of CONTRIBUTING.md do what the page promises."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image as Picture

from contracts.graph import ROOT
from datasets import RULES
from vltune.methods.norm import Norm
from vltune.metrics import caption_metrics, interface
from vltune.pipeline.records import SPLITS, Image, read_captions
from vltune.sources.request import Request
from vltune.sources.rules import Rules
from vltune.sources.writer import writing

PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def example(section: str) -> str:
    """The Python code of a section."""
    [_, part] = PAGE.split(f"## {section}\n")
    return textwrap.dedent(re.search(r"^ *```python\n(.*?)^ *```", part, re.MULTILINE | re.DOTALL)[1])


def test_the_method_is_the_one_in_the_repository() -> None:
    def code(text: str) -> list[str]:
        return [line.partition("#")[0].rstrip() for line in text.splitlines() if line.strip()]

    assert code(example("A new method")) == code(inspect.getsource(Norm))


def test_the_data_source_reads_a_table(tmp_path: Path) -> None:
    rows = ["split,image,caption"]
    for split in SPLITS:
        Picture.new("RGB", (4, 4)).save(tmp_path / f"{split}.png")
        rows += [f"{split},{split}.png,a square", f'{split},{split}.png,"a black, square picture"']
    (tmp_path / "captions.csv").write_text("\n".join(rows))
    names = {"pd": pd, "Image": Image, "Request": Request, "writing": writing}
    exec(compile(example("A new data source"), "CONTRIBUTING.md", "exec"), names)
    folder = tmp_path / "raw"
    names["read"](Request("captions_csv", str(tmp_path), folder, tmp_path, None, Rules(**RULES)))
    for split in SPLITS:
        captions = read_captions(folder / f"captions_{split}.json")
        assert list(captions.by_image().values()) == [["a square", "a black, square picture"]]
        assert (folder / f"images/{split}/{split}.png").is_file()


def test_the_family_has_its_four_names() -> None:
    names: dict = {}
    exec(compile(example("A new decoder family"), "CONTRIBUTING.md", "exec"), names)
    assert names["COMPUTED"]["sliding_window"] == (None,)
    tensors = {"model.norm.weight": 1.0}
    assert names["to_hugging_face"](names["from_hugging_face"](tensors)) == tensors
    assert callable(names["config"])


def test_the_metric_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "caption_metrics"
    folder.mkdir()
    imports = "from collections import Counter\n\nimport numpy as np\n\n"
    (folder / "rouge1.py").write_text(imports + example("A new metric"))
    monkeypatch.setattr(caption_metrics, "__path__", [str(folder)])
    monkeypatch.setattr(interface, "FOLDER", folder)
    [metric] = interface.caption_metrics.__wrapped__()
    assert metric.values == ("ROUGE-1",)
    assert metric.value is None
    references = [["a red cat", "the cat"], ["a dog"], ["dogs", "two dogs"]]
    scores = metric.statistics(["a red cat", "", "dogs"], references)
    assert scores.tolist() == [4 / 5, 0, 2 / 3]
