"""An image as it is shown: as the encoder reads it, upright and opaque; in its proportions if squashed."""

from __future__ import annotations

from pathlib import Path

from PIL import ExifTags, Image

from vltune.preprocessing.encoder import Encoder
from vltune.preprocessing.images import read_image


def as_encoded(path: Path, encoder: Encoder, longest: int, pixel_limit: int) -> Image.Image:
    """Read an image as RGB, as an encoder reads it; its longer side becomes `longest` pixels. It is a square,
    or has its own proportions if the encoder squashes images.

    Raises:
        InputError: it cannot be read, or has more than `pixel_limit` pixels; gives the reason.
    """
    square = Image.fromarray(read_image(path, encoder.fitting(longest), pixel_limit).transpose(1, 2, 0))
    if encoder.settings.fit != "squash":
        return square
    with Image.open(path) as opened:
        turned = opened.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # width and height are exchanged
        width, height = opened.size[::-1] if turned else opened.size
    scale = longest / max(width, height)
    return square.resize((max(1, round(scale * width)), max(1, round(scale * height))))
