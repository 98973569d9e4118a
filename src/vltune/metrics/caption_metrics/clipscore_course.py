"""CLIPScore as the course NTU DLCV computes it: without the prefix in front of the caption."""

from __future__ import annotations

import numpy as np

from vltune.metrics.embeddings import Embeddings, clip_score

VALUES = ("CLIPScore-course",)
LISTED = ()
POSITION = 6
IMAGES = True


def statistics(embeddings: Embeddings) -> np.ndarray:
    """Score each image: [images]; captions are embedded as they are.

    Source: the evaluation script of NTU DLCV, homework 3, 2022 to 2025 (`p2_evaluate.py`).
    """
    return clip_score(embeddings.images, embeddings.bare)
