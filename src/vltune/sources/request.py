"""What a reader of a data set is asked for, and where the data set lies."""

from __future__ import annotations

import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced, sha256
from vltune.sources.download import fetch_url
from vltune.sources.rules import Rules
from vltune.sources.scenes.draw import Scenes

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")


@dataclass(frozen=True)
class Request:
    """A data set by its name, `path` as params.yaml has it, the folder to write (data/raw), the folder of
    downloads, the section `scenes` for the one that is drawn, and the rules for those that are read."""

    dataset: str
    path: str | None
    folder: Path
    cache: Path
    scenes: Scenes
    rules: Rules

    def location(self) -> Path:
        """Find the folder of the data set; an archive, on this machine or at an address, is unpacked once.
        Where all of an archive is in one folder, that is it.

        Raises:
            InputError: there is no such folder or archive, an address has no hash, or the archive is damaged.
        """
        path = self.path or ""
        if "://" in path:
            url, _, pin = path.partition("#sha256=")
            if not re.fullmatch("[0-9a-f]{64}", pin):
                raise InputError(
                    f"params.yaml: key 'fetch.path' = {path!r}: an address must end in #sha256= and the "
                    f"archive's SHA-256, 64 digits of 0 to 9 and a to f"
                )
            return self._unpacked(fetch_url(url, pin, self.cache), pin)
        if path.endswith(ARCHIVES) and Path(path).is_file():
            return self._unpacked(Path(path), sha256(Path(path)))
        if not Path(path).is_dir() or not path:
            raise InputError(
                f"params.yaml: key 'fetch.path' = {self.path!r}: expected the folder of the data set "
                f"'{self.dataset}', an archive of it (.zip or .tar), or the address of one"
            )
        return Path(path)

    def _unpacked(self, archive: Path, pin: str) -> Path:
        unpacked = self.cache / f"{pin[:16]}-unpacked"
        if not unpacked.is_dir():
            with replaced(unpacked) as part:
                unpack(archive, part)
        return _inner(unpacked)


def _inner(folder: Path) -> Path:
    """Go down while a folder holds one folder and nothing else; what macOS adds does not count."""
    entries = [entry for entry in folder.iterdir() if entry.name not in ("__MACOSX", ".DS_Store")]
    return _inner(entries[0]) if len(entries) == 1 and entries[0].is_dir() else folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a folder; InputError if it is damaged or holds a path outside the folder."""
    try:
        if archive.suffix == ".zip":
            shutil.unpack_archive(archive, folder)
        else:
            shutil.unpack_archive(archive, folder, filter="data")  # nothing outside the folder
    except (shutil.ReadError, tarfile.TarError, OSError, ValueError) as error:
        raise InputError(f"{archive}: cannot be unpacked ({error})") from None
