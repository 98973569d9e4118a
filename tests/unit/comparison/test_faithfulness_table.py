"""The check of attention over images and seeds: known differences, verdicts, and files of a wrong form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from results import write_attention, write_run
from vltune.comparison import attention, runs
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json

COLUMNS = ("difference", "low", "high")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for method in ("lora", "prefix"):
        write_run(method)


def table(seeds: tuple[int, ...] = (0,)) -> list[dict]:
    collected, _ = runs.collect(["lora", "prefix"], ["caption"], list(seeds))
    return attention.faithfulness(attention.collect(collected))


def row(rows: list[dict], method: str, attribution: str, against: str) -> dict:
    [match] = [item for item in rows if (item["method"], item["attribution"], item["against"]) ==
               (method, attribution, against)]
    return match


def test_differences_are_those_of_the_images() -> None:
    rng = np.random.default_rng(0)
    drops = {name: rng.normal(mean, 1, 40) for name, mean in [
        ("attention_highest", 3), ("random", 1), ("attention_lowest", 0), ("attention_elsewhere", 3),
        ("gradient_highest", 0), ("gradient_lowest", 2)]}
    write_attention("lora", drops=drops)
    rows = table()
    assert {item["method"] for item in rows} == {"lora"}, "a run without the file is left out"
    assert len(rows) == 5
    expected = {("attention", "random"): "more", ("attention", "lowest"): "more",
                ("attention", "elsewhere"): "not shown", ("gradient", "random"): "less",
                ("gradient", "lowest"): "less"}
    for (attribution, against), verdict in expected.items():
        item = row(rows, "lora", attribution, against)
        key = against if against == "random" else f"{attribution}_{against}"
        difference = drops[f"{attribution}_highest"] - drops[key]
        assert item["difference"] == pytest.approx(difference.mean(), abs=1e-5)
        half = 1.96 * difference.std(ddof=1) / 40**0.5
        assert item["high"] - item["low"] == pytest.approx(2 * half, rel=0.15)
        assert item["verdict"] == verdict
        assert item["images"] == 40
    assert attention.faithful(rows, "caption", "attention") == {"lora": True}
    assert attention.faithful(rows, "caption", "gradient") == {"lora": False}
    assert attention.faithful(rows, "vqa", "attention") == {}


def test_images_without_a_checked_token_are_left_out_of_every_seed() -> None:
    write_run("lora", seed=1)
    for seed, without in ((0, 2), (1, 5)):
        write_attention("lora", seed=seed)
        path = paths.predictions("lora", "caption", seed).with_suffix(".attention.json")
        content = read_json(path)
        content["images"][without] |= {"checked": [], "drops": {}}
        write_json(path, content)
    assert {(item["images"], item["seeds"]) for item in table((0, 1))} == {(38, 2)}


def test_a_run_without_any_checked_token_has_no_row() -> None:
    write_attention("lora")
    path = paths.predictions("lora", "caption", 0).with_suffix(".attention.json")
    content = read_json(path)
    write_json(path, content | {"images": [item | {"drops": {}} for item in content["images"]]})
    assert table() == []


@pytest.mark.parametrize(("change", "message"), [
    ({"cells": None}, r"the whole\[0\] has no 'cells'"),
    ({"images": [{"image_id": 1}]}, r"images\[0\] has no 'file_name'"),
    ({"weights": ["0.1 0.2", "0.3"]}, r"images\[0\]: expected a line of weights for each of the 2 tokens"),
    ({"weights": ["0.1 0.2"]}, r"images\[0\]: expected a line of weights for each of the 2 tokens"),
    ({"weights": ["0.1 a", "0.1 b"]}, r"images\[0\]: expected a line of weights for each of the 2 tokens"),
    ({"drops": {"random": 1.0}}, r"images\[0\]\.drops\[0\] has no 'attention_highest'"),
])
def test_a_file_of_a_wrong_form_is_named(change: dict, message: str) -> None:
    write_attention("lora")
    path = paths.predictions("lora", "caption", 0).with_suffix(".attention.json")
    content = read_json(path)
    if set(change) <= set(content):
        content = {name: value for name, value in (content | change).items() if value is not None}
    else:
        content["images"][0] |= change
    write_json(path, content)
    with pytest.raises(InputError, match=f"{path}: {message}"):
        table()
