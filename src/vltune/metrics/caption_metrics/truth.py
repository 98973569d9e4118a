"""Truth: the share of captions that name a thing and say nothing false about their drawn image."""

from __future__ import annotations

import numpy as np

from vltune.metrics.scene_truth import Judged

VALUES = ("truth",)
LISTED = VALUES
POSITION = 7
SCENES = True


def statistics(judged: list[Judged]) -> np.ndarray:
    """Score each image, 0 or 1: [images]."""
    return np.array([float(caption.true) for caption in judged])
