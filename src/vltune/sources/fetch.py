"""Section `fetch` of params.yaml -> data/raw and data/base."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Literal

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced, write_json
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, ENCODER, RAW
from vltune.sources import folder, hw3, karpathy
from vltune.sources.download import OPENMOJI, cache_folder, fetch_url, fetch_wheel
from vltune.sources.pretrained import fetch_decoder, fetch_encoder
from vltune.sources.scenes import draw


class Fetch(Section):
    """Section `fetch`: the data set, where it lies if it isn't drawn, the encoder and the decoder."""

    dataset: Literal["scenes", "coco", "flickr30k", "hw3", "folder"]
    path: str | None
    encoder: str
    decoder: str


def fetch(settings: Fetch, drawing: draw.Scenes) -> None:
    """Write data/raw, and data/base with its SOURCE.json.

    Raises:
        InputError: something cannot be fetched, or is not what params.yaml says.
    """
    cache = cache_folder()
    with replaced(ENCODER.parent) as part:
        sources = {"encoder": fetch_encoder(settings.encoder, part / ENCODER.name, cache),
                   "decoder": fetch_decoder(settings.decoder, part / DECODER.name, cache)}
        write_json(part / "SOURCE.json", sources)
    if settings.dataset == "scenes":
        draw.draw(drawing, fetch_wheel(OPENMOJI.name, OPENMOJI.version, OPENMOJI.sha256, cache), RAW)
        return
    place = _place(settings, cache)
    if settings.dataset == "hw3":
        hw3.convert(place, RAW)
    elif settings.dataset == "folder":
        folder.convert(place, RAW)
    else:
        karpathy.convert(settings.dataset, place, RAW)


def _place(settings: Fetch, cache: Path) -> Path:
    """Find the folder of a data set that isn't drawn; an archive is fetched and unpacked once."""
    path = settings.path or ""
    if "://" in path:
        url, _, pin = path.partition("#sha256=")
        if not pin:
            raise InputError(f"params.yaml: key 'fetch.path' = {path!r}: an address must end in #sha256= and the archive's SHA-256")
        archive, unpacked = fetch_url(url, pin, cache), cache / f"{pin[:16]}-unpacked"
        if not unpacked.is_dir():
            with replaced(unpacked) as part:
                _unpack(archive, part)
        return unpacked
    if not Path(path).is_dir() or not path:
        raise InputError(f"params.yaml: key 'fetch.path' = {settings.path!r}: expected the folder of the data set "
                         f"'{settings.dataset}', or the address of an archive of it")
    return Path(path)


def _unpack(archive: Path, folder_for_it: Path) -> None:
    try:
        if archive.suffix == ".zip":
            shutil.unpack_archive(archive, folder_for_it)
        else:
            shutil.unpack_archive(archive, folder_for_it, filter="data")  # nothing outside the folder
    except (shutil.ReadError, tarfile.TarError, OSError, ValueError) as error:
        raise InputError(f"{archive}: cannot be unpacked ({error})") from None
