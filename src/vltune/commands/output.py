"""Output of commands: paths checked before the work starts, progress, and results kept on Ctrl-C."""

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


def check_file(path: Path | None, ending: str = ".json") -> None:
    """Check that a file can be written, by default a JSON file; None is the standard output, or no file.

    Raises:
        InputError: it is a folder, its name does not end in `ending`, or its parent directory is not
            writable.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path}: cannot be written, it is a folder; expected the name of a {ending} file")
    if path.suffix.lower() != ending:  # an image given by mistake would be lost
        raise InputError(f"{path}: expected a name that ends in {ending} for the output")
    _check_parent(path)


def check_folder(path: Path) -> None:
    """Check that a folder can be created.

    Raises:
        InputError: a file or a folder that is not empty is there, or the parent directory is not writable.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: cannot be written, it is a file; expected the name of a new folder")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: is not empty, and nothing in it is overwritten; give a new folder")
    _check_parent(path)


def _check_parent(path: Path) -> None:
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot be written, {parent}: {error.strerror}") from None


def emit(value: Any, path: Path | None) -> None:
    """Write JSON to a file, or to the standard output."""
    if path is None:
        sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    else:
        write_json(path, value)


@contextmanager
def written_at_end(results: dict | list, path: Path | None) -> Iterator[None]:
    """Write `results`, which the block fills, when the block ends or Ctrl-C interrupts it."""
    try:
        yield
    except KeyboardInterrupt:
        if results:
            emit(results, path)
        sys.stderr.write(f"\nstopped: {len(results)} done{f', in {path}' if path and results else ''}\n")
        raise
    if results:
        emit(results, path)


def progress(total: int, unit: str) -> tqdm:
    """Make a progress bar on stderr; a single item has none."""
    return tqdm(total=total, unit=unit, file=sys.stderr, disable=total < 2)


def report(left_out: dict[Path, str]) -> None:
    """Report on stderr which images could not be read, and why."""
    for path, reason in left_out.items():
        tqdm.write(f"left out: {path}: {reason}", file=sys.stderr)


def check_complete(missing: int, total: int, source: Path) -> None:
    """Raise InputError if something was left out, so that the command does not exit with 0."""
    if missing:
        raise InputError(f"{source}: {missing} of {total} were left out, since their images cannot be read; "
                         "the others are done")
