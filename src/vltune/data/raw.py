"""What every reader of a data set writes: data/raw, the same whatever the source."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from vltune.errors import InputError
from vltune.records import Caption, Captions, Image, write_captions


class Split:
    """Collects a split's images with their references and writes them in COCO caption format."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make the folder of the split's images."""
        self.images_folder = folder / "images" / name
        self.images_folder.mkdir(parents=True)
        self._file = folder / f"captions_{name}.json"
        self._images: list[Image] = []
        self._captions: list[Caption] = []

    def add(self, image: Image, references: list[str], first_id: int) -> None:
        """Add an image whose file lies, or will lie, in `images_folder`; caption ids count up from `first_id`."""
        self._images.append(image)
        self._captions += [Caption(first_id + i, image.id, text) for i, text in enumerate(references)]

    def take(self, image: Image, source: Path, references: list[str], first_id: int) -> None:
        """Add an image that lies elsewhere: linked where the disk can, copied otherwise.

        Raises:
            InputError: there is no such file; names it.
        """
        if not source.is_file():
            raise InputError(f"{source}: no such image, but there are captions for it (image id {image.id!r})")
        target = self.images_folder / image.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, target)
        self.add(image, references, first_id)

    def write(self, info: dict[str, Any]) -> None:
        """Write captions_NAME.json."""
        write_captions(self._file, Captions(self._images, self._captions), info)
