"""A file from an address, pinned by its SHA-256."""

from __future__ import annotations

from pathlib import Path

import pooch
from requests import RequestException

from vltune.errors import InputError


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
