"""The test images of `dvc plots`."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from vltune.comparison.runs import collect
from vltune.pipeline import paths
from vltune.pipeline.files import read_json, write_json
from vltune.report import picture_grid
from vltune.report.cards import Asked, Card, Output

METHODS = ["lora", "prefix"]


def runs() -> list:
    return collect(METHODS, ["caption"], [0])[0]


def test_methods_that_say_the_same_stand_together() -> None:
    outputs = [Output("lora", "a cat", 1.0), Output("full", "a dog", 0.0), Output("prefix", "a cat", 1.0)]
    card = Card(0, "1.png", ["a small cat"], outputs, {3: Asked("is it?", "yes/no", "no", outputs[:1])})
    assert [text for text, _ in picture_grid._texts(card)] == [
        "reference: a small cat", "lora, prefix: a cat", "full: a dog", "is it? (no)", "lora: a cat"]


@pytest.mark.usefixtures("workspace")
def test_any_text_is_drawn_and_old_pictures_go() -> None:
    path = paths.predictions("lora", "caption", 0)
    rows = read_json(path)
    for row in rows:
        row["caption"] = "$5 and $x_{ \x00\x14 " + "long " * 100
    write_json(path, rows)
    folder = Path("pictures")
    picture_grid.write(folder, runs())
    (folder / "old.png").touch()
    names = sorted(file.name for file in folder.iterdir())
    picture_grid.write(folder, runs())
    assert len(names) == 13
    assert sorted(file.name for file in folder.iterdir()) == [name for name in names if name != "old.png"]
    for file in folder.iterdir():
        with Image.open(file) as tile:
            assert tile.width == 476
            assert tile.getcolors(2 ** 16), "a palette, for the size of the file"
        assert file.stat().st_size < 60_000


@pytest.mark.usefixtures("workspace")
def test_without_predictions_there_are_no_pictures() -> None:
    for method in [*METHODS, "aligned"]:
        paths.predictions(method, "caption", 0).unlink()
    picture_grid.write(Path("pictures"), runs())
    assert not list(Path("pictures").iterdir())
