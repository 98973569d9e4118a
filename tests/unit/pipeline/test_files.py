"""Files and folders are written atomically: an error leaves what was there before."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vltune.pipeline.files import replaced, write_text
from vltune.pipeline.process import run


def test_an_error_leaves_the_old_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "data/old.txt", "old")

    def interrupted() -> None:
        with replaced(tmp_path / "data") as part:
            write_text(part / "new.txt", "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["data", "data/old.txt"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "metrics.json")

    monkeypatch.setattr(Path, "write_text", full)
    message = r"error: the disk is full \(metrics\.json\): free some space and run again; what was finished"
    with pytest.raises(SystemExit, match=message):
        run(lambda: write_text(path, "new"))
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
    assert path.read_text() == "old"
