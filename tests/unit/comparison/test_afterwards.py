"""What is said of forgetting, speed and storage, from the files that `predict` leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from results import SETTINGS, write_run
from vltune.comparison import afterwards
from vltune.comparison.runs import collect
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.report.afterwards import markdown, page


def write(method: str, seed: int, divergence: list[float], merged: float | None = 9.0) -> None:
    write_run(method, seed)
    write_json(paths.predictions(method, "caption", seed).with_suffix(".forgetting.json"),
               {"settings": {}, "base_bytes": 100_000_000, "divergence": divergence})
    write_json(paths.speed(method, "caption", seed),
               {"texts": 16, "attached_per_second": 8.0 + seed, "merged_per_second": merged})


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[afterwards.Afterwards]:
    monkeypatch.chdir(tmp_path)
    texts = np.linspace(0.1, 0.5, 20)
    for seed in (0, 1, 2):
        write("lora", seed, (texts + 0.01 * seed).tolist())
        write("connector", seed, [0.0] * 20)
    write("prefix", 0, texts.tolist(), merged=None)
    return afterwards.collect(collect(["lora", "prefix", "connector", "full"], ["caption"], [0, 1, 2])[0])


def test_forgetting_has_a_row_for_each_method(measured: list[afterwards.Afterwards]) -> None:
    lora, prefix, connector = afterwards.forgetting(measured)
    assert (lora["method"], lora["seeds"], lora["texts"]) == ("lora", 3, 20)
    assert lora["nats"] == pytest.approx(0.31)
    assert lora["low"] < 0.31 < lora["high"]
    assert prefix["nats"] == pytest.approx(0.3)
    assert (connector["nats"], connector["low"], connector["high"]) == (0, 0, 0)


def test_an_interval_of_one_seed_is_the_bootstraps_and_repeats() -> None:
    values = np.linspace(0.1, 0.5, 64)[None]
    first = afterwards.interval(values, SETTINGS)
    assert first == afterwards.interval(values, SETTINGS)
    half = 1.96 * values.std() / 8  # the standard error of a mean of 64
    assert first["low"] == pytest.approx(0.3 - half, abs=0.01)
    assert first["high"] == pytest.approx(0.3 + half, abs=0.01)
    assert first != afterwards.interval(values, SETTINGS.model_copy(update={"seed": 1}))


def test_storage_is_the_base_once_and_the_files_for_each_task(measured: list[afterwards.Afterwards]) -> None:
    row = afterwards.storage(measured)[0]
    assert row == {"task": "caption", "method": "lora", "base_bytes": 100_000_000, "method_bytes": 2_000_000,
                   "tasks_1_bytes": 102_000_000, "tasks_10_bytes": 120_000_000}


def test_tables_for_people(measured: list[afterwards.Afterwards]) -> None:
    text = markdown(measured)
    assert "| caption | connector | 0.000 (0.000 to 0.000) | 102 | 120 |" in text
    assert "8.0" not in text, "a time"
    rows = {line[0].text: line for line in page(measured, "caption").rows}
    assert [cell.text for cell in rows["lora"][2:]] == ["9.0", "9.0", "102", "120"]
    assert rows["prefix"][3].text == "not possible"
    assert page(measured, "vqa") is None
    assert markdown([]) == ""
    assert [row["seed"] for row in afterwards.speed(measured)] == [0, 1, 2, 0, 0, 1, 2]


@pytest.mark.parametrize("content", [[], [0.1], "none", [0.1, None], [[0.1], [0.2]]])
def test_a_file_of_the_wrong_form_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object
) -> None:
    monkeypatch.chdir(tmp_path)
    write("lora", 0, content)
    runs = collect(["lora"], ["caption"], [0])[0]
    with pytest.raises(InputError, match=r"lora-0.forgetting.json: divergence: expected a list of two"):
        afterwards.collect(runs)


@pytest.mark.usefixtures("measured")
def test_seeds_on_other_texts_are_refused() -> None:
    write("lora", 1, [0.1, 0.2])
    runs = collect(["lora"], ["caption"], [0, 1])[0]
    with pytest.raises(InputError, match=r"lora caption: its seeds were measured on \[2, 20\] texts"):
        afterwards.forgetting(afterwards.collect(runs))
