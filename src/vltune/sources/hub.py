"""A model from a hub that speaks the protocol of huggingface.co, at one revision. HF_ENDPOINT names another host."""

from __future__ import annotations

from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from vltune.errors import InputError

PATTERNS = ["config.json", "model.safetensors", "tokenizer.json"]


def fetch_snapshot(repository: str, revision: str, cache: Path) -> Path:
    """Download weights, configuration and tokenizer of a repository; what is in the cache is used again.

    Raises:
        InputError: the hub cannot be reached, or has no such repository or revision.
    """
    try:
        return Path(snapshot_download(repository, revision=revision, cache_dir=cache / "hub", allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise InputError(f"could not get {repository} at revision {revision} from {constants.ENDPOINT}: "
                         f"{reason[0] if reason else type(error).__name__}") from None
