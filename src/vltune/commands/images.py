"""Which images a command works on: a single file, those of a folder, or those that ids refer to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from vltune.pipeline.errors import InputError

LISTED = 5  # items of a longer list that a message names


def find_images(image_or_folder: Path) -> list[Path]:
    """List an image, or the images directly in a folder, sorted by name.

    A file of a folder is an image if Pillow reads its extension
    or recognises its first bytes; hidden files are skipped.

    Raises:
        InputError: there is no such file or folder, no image in it, or two images share a name; names both.
    """
    if image_or_folder.is_file():
        return [image_or_folder]
    folder = image_or_folder
    if not folder.is_dir():
        raise InputError(f"{folder}: no such file or folder")
    by_stem: dict[str, Path] = {}
    for file in _images_in(folder):
        if file.stem in by_stem:
            raise InputError(f"{by_stem[file.stem]} and {file} have the same name without their extensions, "
                             f"'{file.stem}': rename one of them")
        by_stem[file.stem] = file
    if not by_stem:
        names = sorted(entry.name for entry in folder.iterdir())
        raise InputError(f"{folder}: no images in it; found {listed(names) or 'nothing'}")
    return list(by_stem.values())


def _images_in(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return [file for file in files if _is_image(file)]


def _is_image(file: Path) -> bool:
    if Image.registered_extensions().get(file.suffix.lower()) in Image.OPEN:
        return True
    try:
        with Image.open(file):
            return True
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def by_id(folder: Path, ids: Iterable[int | str], names: Mapping[int | str, str]) -> dict[int | str, Path]:
    """Find the images of a folder that ids refer to; an id without an image is left out.

    An id is looked up in `names` (file names), then as a name without extension, then as the number at the
    end of a name (COCO_val2014_000000123456 is 123456).

    Raises:
        InputError: there is no such folder, or an id fits two images; names both.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    stems, numbers = defaultdict(list), defaultdict(list)
    for file in _images_in(folder):
        stems[file.stem].append(file)
        digits = re.search(r"[0-9]+$", file.stem)
        if digits:
            numbers[str(int(digits[0]))].append(file)
    paths = {}
    for image_id in dict.fromkeys(ids):
        named = [folder / names[image_id]] if image_id in names else []
        matches = named or stems.get(str(image_id)) or numbers.get(str(image_id)) or []
        if len(matches) > 1:
            raise InputError(f"{matches[0]} and {matches[1]} both fit image {image_id!r}")
        if matches and matches[0].is_file():
            paths[image_id] = matches[0]
    return paths


def listed(items: Iterable[object]) -> str:
    """Join the first items of a list for a message, and add how many more there are."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more
