"""The settings that image features depend on: as section `preprocess` of params.yaml has them, and as the
signature of the features keeps them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from vltune.pipeline.params import Section, check


class FeatureSettings(Section):
    """The images' size in pixels and how they are brought to a square, the block of the encoder whose output
    is taken, counted from the end, the side of the grid of tokens (0: a token for every patch), what a token
    says of the patches in its cell, and the tokens beside the grid."""

    image_size: int = Field(ge=14, le=4096)
    fit: Literal["squash", "crop", "pad"]
    layer: int = Field(ge=-200, le=-1)
    grid: int = Field(ge=0, le=64)
    pooling: Literal["mean", "mean+deviation"]
    extra_tokens: Literal["none", "class", "registers", "class+registers"]
    precision: Literal["auto", "bf16", "float32"]


class Preprocess(FeatureSettings):
    """Section `preprocess`: the settings of the features, whether training images are encoded flipped too,
    and how images are read and batched."""

    flip: bool
    batch_size: int = Field(ge=1)
    max_unreadable_share: float = Field(ge=0, le=1)
    pixel_limit: int = Field(ge=1)


# What a signature leaves out: the features of this choice are those of a signature without these keys.
PLAIN = {"fit": "squash", "layer": -1, "extra_tokens": "none"}
PRECISIONS = {"bfloat16": "bf16", "float32": "float32"}  # name in a signature: name in params.yaml


def to_signature(settings: FeatureSettings) -> dict[str, Any]:
    """Give the keys that a signature has for settings other than PLAIN."""
    return {key: getattr(settings, key) for key in PLAIN if getattr(settings, key) != PLAIN[key]}


def from_signature(signature: dict[str, Any], path: Path) -> FeatureSettings:
    """Give the settings of features by their signature, which stands in the file `path`.

    Raises:
        InputError: a value is not possible; names the key.
    """
    stated = {key: signature[key] for key in ("image_size", "pooling")}
    stated |= {key: signature.get(key, value) for key, value in PLAIN.items()}
    stated["grid"] = math.isqrt(signature.get("cells", signature["tokens"]))
    stated["precision"] = PRECISIONS.get(signature["precision"], signature["precision"])
    return check(FeatureSettings, "base.features", stated, path)
