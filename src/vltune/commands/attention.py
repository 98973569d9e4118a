"""Draw the attention on an image for each token of its caption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from torch import Tensor

from vltune.commands.inference import Model
from vltune.data.batch import Text
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import load
from vltune.prediction.attention import attention, force, on_image
from vltune.prediction.explain import Attention, check_choice, pieces
from vltune.preprocessing.encoder import Encoder
from vltune.preprocessing.images import read_image
from vltune.report.attention import LARGEST, Panel, draw

COLUMNS = 6


def draw_caption(path: Path, model: Model, features: Tensor, image: Path, caption: str) -> None:
    """Draw a panel for each token of the caption of an image, given by its features [k, w], into a PNG file.

    Raises:
        InputError: the caption is empty, or the section `attention` of params.yaml is wrong.
    """
    settings = load(Attention, "attention", model.root / "params.yaml")
    check_choice(settings, model.vlm.decoder.config)
    ids = model.tokenizer.encode(caption)
    if not ids:
        raise InputError(f"{image}: its caption is empty, so there is no attention to draw")
    forced = force(model.vlm, features[None], [Text((), ids)])
    weights = on_image(attention(model.vlm, forced, settings.layers, settings.heads)[0], forced).cpu().numpy()
    picture = _picture(image, model.extractor.encoder, model.preprocess_settings.pixel_limit)
    panels = [Panel(text or "(space)", picture, row)
              for text, row in zip(pieces(model.tokenizer, ids), weights, strict=True)]
    sink = not model.vlm.decoder.prompt.length
    projector = model.vlm.projector
    draw(path, panels, min(COLUMNS, len(panels)), projector.cells, sink, extras=projector.extras)


def _picture(path: Path, encoder: Encoder, pixel_limit: int) -> np.ndarray:
    """Read an image as the encoder does, [height, width, 3]; in its own proportions if it was squashed."""
    square = read_image(path, encoder.fitting(LARGEST), pixel_limit).transpose(1, 2, 0)
    if encoder.settings.fit != "squash":
        return square
    with Image.open(path) as opened:
        turned = opened.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # width and height are exchanged
        width, height = opened.size[::-1] if turned else opened.size
    scale = LARGEST / max(width, height)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(Image.fromarray(square).resize(size))
