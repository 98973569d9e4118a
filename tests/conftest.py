"""What tests share: tiny random bases, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `encoder` and `decoder`: random weights, milliseconds to run."""
    from vltune.model.checkpoints import write_tiny

    folder = tmp_path_factory.mktemp("base")
    write_tiny(folder / "encoder", folder / "decoder", seed=0)
    return folder
