"""Images for pages, small and inside the page, and what their licence says."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from vltune.pipeline import paths
from vltune.pipeline.files import read_json

THUMBNAIL = 144  # pixels
QUALITY = 60  # of a thumbnail
FOLDER = paths.RAW / "images/test"


def thumbnail(path: Path, side: int = THUMBNAIL) -> str:
    """Give an image as a small WebP in a data URL; empty if there is no such file."""
    return embedded(path, side, QUALITY, "webp") if path.is_file() else ""


def embedded(path: Path, side: int, quality: int, format: str = "jpeg") -> str:
    """Give an image of at most `side` pixels in a data URL; OSError if it cannot be read."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, format.upper(), quality=quality)
    return address(content.getvalue(), format)


def address(content: bytes, format: str) -> str:
    """Encode an image's bytes as a data URL."""
    return f"data:image/{format};base64,{base64.b64encode(content).decode()}"


def licence(root: Path = Path()) -> str:
    """Give the source, licence and attribution of the images; empty if the data set has none."""
    path = root / paths.RAW / "SOURCE.json"
    source = read_json(path) if path.is_file() else {}
    return "; ".join(str(source[key]) for key in ("source", "licence", "attribution") if source.get(key))
