"""Completeness: the share of captions that are true and leave nothing out that could be said."""

from __future__ import annotations

import numpy as np

from vltune.metrics.scene_truth import Judged

VALUES = ("complete",)
LISTED = VALUES
POSITION = 8
SCENES = True


def statistics(judged: list[Judged]) -> np.ndarray:
    """Score each image, 0 or 1: [images]."""
    return np.array([float(caption.complete) for caption in judged])
