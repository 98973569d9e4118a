"""Which images are meant: a file, those of a folder, or those that ids name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from vltune.pipeline.errors import InputError

SHOWN = 5  # of a list that is too long for a message


def of(place: Path) -> list[Path]:
    """List an image, or the images that lie directly in a folder, sorted by name.

    In a folder an image is what has the ending of one or begins like one; hidden files are passed over.

    Raises:
        InputError: there is no such file or folder, no image in it, or two images of one name; names both.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError(f"{place}: no such file or folder")
    found: dict[str, Path] = {}
    for file in _listing(place):
        if file.stem in found:
            raise InputError(f"{found[file.stem]} and {file} have one name without their endings, '{file.stem}': rename one")
        found[file.stem] = file
    if not found:
        raise InputError(f"{place}: no images in it; found {listed(sorted(one.name for one in place.iterdir())) or 'nothing'}")
    return list(found.values())


def _listing(folder: Path) -> list[Path]:
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
    """Find the images of a folder that ids name: by `names` (file names), by the name without extension, or by the number that
    it ends in (COCO_val2014_000000123456 is 123456). An id without an image is left out.

    Raises:
        InputError: there is no such folder, or an id fits two images; names both.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    stems, numbers = defaultdict(list), defaultdict(list)
    for file in _listing(folder):
        stems[file.stem].append(file)
        ending = re.search(r"[0-9]+$", file.stem)
        if ending:
            numbers[str(int(ending[0]))].append(file)
    found = {}
    for one in dict.fromkeys(ids):
        fitting = [folder / names[one]] if one in names else stems.get(str(one)) or numbers.get(str(one)) or []
        if len(fitting) > 1:
            raise InputError(f"{fitting[0]} and {fitting[1]} both fit image {one!r}")
        if fitting and fitting[0].is_file():
            found[one] = fitting[0]
    return found


def listed(things: Iterable[object]) -> str:
    """Join the first few of a list for a message, and say how many more there are."""
    things = [str(thing) for thing in things]
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return ", ".join(things[:SHOWN]) + more
