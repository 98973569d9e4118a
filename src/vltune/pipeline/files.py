"""Atomic writing of files and folders: under a temporary name beside their path, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vltune.pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd  # not imported by stages and commands that write no table


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block ends without an error.

    Raises: whatever the block raises; the temporary file is then removed and `path` is unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)  # mkstemp gives 0600, which no other user could read
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically and in one form: indented by 1, UTF-8, a line break at the end."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or cannot be read, is not UTF-8 or is not JSON; names the file, the
            line and the column.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise InputError(f"{path}: expected UTF-8 text, found {byte}") from None
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}: not valid JSON at {position}: {error.msg}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise InputError(f"{path}: lists or objects in it are nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"{path}: not valid JSON: {error}") from None


def write_table(path: Path, table: pd.DataFrame, separator: str = ",") -> None:
    """Write a table as CSV (or TSV) whole, numbers in their shortest form, missing values empty."""
    with whole(path) as part:
        table.to_csv(part, sep=separator, index=False, lineterminator="\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Hash a file in constant memory: 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """Hash a JSON value, whatever the order of its keys: 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`, and replace `folder` by it when the block ends without an error.

    Raises: whatever the block raises; `folder` is then unchanged.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # left by a run that was killed
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
