"""CLIPScore: how well a caption fits its image, without references, by CLIP's embeddings."""

from __future__ import annotations

import numpy as np

from vltune.metrics.embeddings import Embeddings, clip_score

VALUES = ("CLIPScore",)
LISTED = VALUES
POSITION = 4
IMAGES = True


def statistics(embeddings: Embeddings) -> np.ndarray:
    """Score each image: [images]; captions stand behind "A photo depicts ".

    Source: Hessel et al. 2021, CLIPScore: a reference-free evaluation metric for image captioning, section 3.
    """
    return clip_score(embeddings.images, embeddings.prefixed)
