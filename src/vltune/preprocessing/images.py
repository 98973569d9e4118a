"""Image files -> squares of pixels, as an encoder takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from timm.data.transforms_factory import transforms_imagenet_eval

from vltune.pipeline.errors import InputError

Fit = Callable[[Image.Image], np.ndarray]
MODES = {"squash": "squash", "crop": "center", "pad": "border"}  # fit: timm's crop_mode


def fitting(fit: str, size: int, data: dict[str, Any]) -> Fit:
    """Give the function that makes a square of `size` pixels of an RGB image, uint8 [3, s, s].

    `squash` scales both sides to the square; `crop` scales the shorter side to size / crop_pct and cuts the
    square out of the centre; `pad` scales the longer side to the square and fills the rest with the mean
    colour, which is zero for the encoder.

    Args: data, timm's data configuration of the encoder: its interpolation, crop_pct and mean.
    Source: the preprocessing of timm's evaluations (`crop`); Liu et al. 2023, LLaVA-1.5, section 3.4 (`pad`).
    """
    transform = transforms_imagenet_eval(
        size, crop_mode=MODES[fit], crop_pct=data["crop_pct"] if fit == "crop" else 1.0,
        interpolation=data["interpolation"], mean=data["mean"], normalize=False)
    return lambda image: transform(image).numpy()


def read_image(path: Path, fit: Fit, pixel_limit: int) -> np.ndarray:
    """Read any image that Pillow can, as RGB, upright, as a square by `fit`: uint8 [3, s, s].

    Turned by its EXIF orientation; of an animation the first frame; transparency is laid on white.

    Raises:
        InputError: it is missing, not an image, cut, or has more than `pixel_limit` pixels; gives the reason.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > pixel_limit:
                raise InputError(
                    f"{opened.width} x {opened.height} pixels are more than preprocess.pixel_limit = "
                    f"{pixel_limit}"
                )
            return fit(_opaque(ImageOps.exif_transpose(opened)))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).replace(f" '{path}'", "").replace(str(path), path.name)
        raise InputError(f"{type(error).__name__}: {reason}") from None


def _opaque(image: Image.Image) -> Image.Image:
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        grey = np.asarray(image, dtype=np.float32)
        top = max(float(grey.max()), 1.0)
        return Image.fromarray((grey * (255 / top)).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
