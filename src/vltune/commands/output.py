"""What commands write: places that are checked before the work starts, progress, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json


def check_file(path: Path | None) -> None:
    """Check that a JSON file can be written; None is the standard output.

    Raises:
        InputError: it is a folder, its name does not end in .json, or its place does not let itself be written.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path}: cannot be written, it is a folder; expected the name of a JSON file")
    if path.suffix.lower() != ".json":  # an image given by mistake would be lost
        raise InputError(f"{path}: expected a name that ends in .json for what is written")
    _check_place(path)


def check_folder(path: Path) -> None:
    """Check that a folder can be made; raises InputError if something is there, or its place cannot be written."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: cannot be written, it is a file; expected the name of a new folder")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: is not empty, and nothing in it is overwritten; give a new folder")
    _check_place(path)


def _check_place(path: Path) -> None:
    place = path.absolute().parent
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot be written, {place}: {error.strerror}") from None


def emit(value: Any, path: Path | None) -> None:
    """Write JSON to a file, or to the standard output."""
    if path is None:
        sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    else:
        write_json(path, value)


@contextmanager
def kept(done: dict | list, path: Path | None) -> Iterator[None]:
    """Write what the block has put into `done`, at its end or when Ctrl-C ends it."""
    try:
        yield
    except KeyboardInterrupt:
        if done:
            emit(done, path)
        sys.stderr.write(f"\nstopped: {len(done)} done{f', in {path}' if path and done else ''}\n")
        raise
    if done:
        emit(done, path)


def progress(total: int, unit: str) -> tqdm:
    """Make a progress bar on stderr; a single thing has none."""
    return tqdm(total=total, unit=unit, file=sys.stderr, disable=total < 2)


def report(left_out: dict[Path, str]) -> None:
    """Say on stderr which images could not be read, and why."""
    for path, reason in left_out.items():
        tqdm.write(f"left out: {path}: {reason}", file=sys.stderr)


def all_read(missing: int, total: int, place: Path) -> None:
    """Raise InputError if something was left out: not everything that was asked for is done."""
    if missing:
        raise InputError(f"{place}: {missing} of {total} were left out, since their images cannot be read; the others are done")
