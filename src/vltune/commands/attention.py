"""Draw the attention on an image for each token of its caption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from vltune.commands import pictures
from vltune.commands.inference import Model
from vltune.data.batch import Text
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import load
from vltune.prediction.attention import attention, force, on_image
from vltune.prediction.explain import Attention, check_choice, pieces
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
    limit = model.preprocess_settings.pixel_limit
    picture = np.asarray(pictures.as_encoded(image, model.extractor.encoder, LARGEST, limit))
    panels = [Panel(text or "(space)", picture, row)
              for text, row in zip(pieces(model.tokenizer, ids), weights, strict=True)]
    projector = model.vlm.projector
    draw(path, panels, min(COLUMNS, len(panels)), projector.cells, model.vlm.sink, extras=projector.extras)
