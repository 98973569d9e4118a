"""Precision: of the captions that say something of a thing, a number, the colour or a place, the share that
say nothing false of it."""

from __future__ import annotations

import numpy as np

from vltune.metrics.scene_truth import ASPECTS, Judged

VALUES = tuple(f"precision-{aspect}" for aspect in ASPECTS)
LISTED = ()
POSITION = 9
SCENES = True


def statistics(judged: list[Judged]) -> np.ndarray:
    """Say for each image and aspect whether its caption speaks of it, then whether all of that is right:
    [images, 8]."""
    mentioned = [[bool(caption.statements[aspect]) for aspect in ASPECTS] for caption in judged]
    right = [[bool(caption.statements[aspect]) and all(caption.statements[aspect]) for aspect in ASPECTS]
             for caption in judged]
    return np.concatenate((mentioned, right), axis=1).astype(float)


def value(sums: np.ndarray) -> np.ndarray:
    """Divide the sums [..., 8]: [..., 4]; 0 where no caption speaks of an aspect."""
    mentioned, right = np.split(np.asarray(sums, dtype=float), 2, axis=-1)
    return np.divide(right, mentioned, out=np.zeros_like(right), where=mentioned > 0)
