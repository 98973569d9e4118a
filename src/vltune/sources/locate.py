"""Where the files of a data set lie in its folder: editions differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vltune.pipeline.errors import InputError


def locate(source: Path, name: str, folders: Sequence[str]) -> Path:
    """Give the path of an image that may lie in any of some folders of `source`; the first path if in none.

    A name that is no file name anywhere (too long, with a null byte) lies in none.
    """
    paths = [source / folder / name for folder in folders]
    return next((path for path in paths if _is_file(path)), paths[0])


def required(source: Path, name: str, folders: Sequence[str], of: str) -> Path:
    """Give the path of a file that a data set must have; `of` says of which it is.

    Raises:
        InputError: it is in none of the folders; names them.
    """
    path = locate(source, name, folders)
    if not path.is_file():
        others = ", ".join(folder for folder in folders if folder)
        raise InputError(f"{source / name}: no such file, nor in {others}; {of}")
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
