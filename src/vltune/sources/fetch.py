"""Section `fetch` of params.yaml -> data/raw and data/base.

A data set is read by the file of its name in `readers/`, which has one function, `read(request)`: it writes
`request.folder` in the form that `writer.DataWriter` gives to every data set. Nothing else names a data set.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from pydantic import field_validator

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced, write_json
from vltune.pipeline.params import nearest
from vltune.pipeline.paths import DECODER, ENCODER, RAW
from vltune.sources import course
from vltune.sources.download import cache_folder
from vltune.sources.pretrained import check_decoder, fetch_decoder, fetch_encoder
from vltune.sources.request import Request
from vltune.sources.rules import Rules
from vltune.sources.scenes.draw import Scenes

READERS = Path(__file__).with_name("readers")


def names() -> list[str]:
    """List the data sets: the files of the folder `readers`."""
    return sorted(file.stem for file in READERS.glob("*.py") if file.stem != "__init__")


class Fetch(Rules):
    """Section `fetch`: the data set, its folder or archive
    if it is not drawn, the encoder and the decoder, and the rules for data that is read."""

    dataset: str
    path: str | None
    encoder: str
    decoder: str

    @field_validator("dataset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in names():
            raise ValueError(f"expected one of {', '.join(names())}{nearest(name, names())}")
        return name


def fetch(settings: Fetch, scenes: Scenes) -> None:
    """Write data/raw, and data/base with its SOURCE.json.

    Raises:
        InputError: something cannot be fetched, or is not what params.yaml says.
    """
    cache = cache_folder()
    request = Request(settings.dataset, settings.path, RAW, cache, scenes, settings)
    with replaced(ENCODER.parent) as part:
        sources = {"encoder": fetch_encoder(settings.encoder, part / ENCODER.name, cache),
                   "decoder": _decoder(settings, request, part / DECODER.name)}
        write_json(part / "SOURCE.json", sources)
    read(request)


def _decoder(settings: Fetch, request: Request, folder: Path) -> dict[str, Any]:
    """Put the decoder into a folder; that of the course is in the data set's folder or archive."""
    if settings.decoder != course.NAME:
        return fetch_decoder(settings.decoder, folder, request.cache)
    if not settings.path:
        raise InputError(f"params.yaml: key 'fetch.decoder' = '{course.NAME}': the decoder is in the "
                         f"course's data, so fetch.path must name them; or give the folder of a decoder")
    source = course.convert(request.location(), Path(settings.path or "").parent, folder)
    check_decoder(folder)
    return source


def read(request: Request) -> None:
    """Write a data set by the reader of its name; raises InputError as the reader does."""
    importlib.import_module(f"{__package__}.readers.{request.dataset}").read(request)
