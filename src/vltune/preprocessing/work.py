"""The folder in which features lie until all are there, so that a killed preprocess goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vltune.pipeline import workers
from vltune.pipeline.files import sha256
from vltune.pipeline.paths import images
from vltune.pipeline.records import Image
from vltune.pipeline.work import WorkFolder
from vltune.preprocessing.settings import Preprocess

PACKAGES = ("torch", "timm", "pillow", "torchvision")  # that read and encode images


def work_folder(
    settings: Preprocess, signature: dict[str, Any], listed: Mapping[str, Sequence[Image]]
) -> WorkFolder:
    """Open the folder of exactly these settings, encoder, images by split, code and number of processes.

    An image is known by its size and the time of its last change; one that is missing has neither.

    Raises:
        InputError: another process is preprocessing here.
    """
    files = [
        [split, image.id, image.file_name, *_state(images(split) / image.file_name)]
        for split, records in listed.items() for image in records]
    code = [sha256(file) for file in sorted(Path(__file__).parents[1].rglob("*.py"))]
    inputs = [settings.model_dump(), signature, files, code, workers.count(), *map(version, PACKAGES)]
    return WorkFolder("preprocess", inputs, "preprocessing these images")


def _state(file: Path) -> list[int]:
    if not file.is_file():
        return []
    state = file.stat()
    return [state.st_size, state.st_mtime_ns]
