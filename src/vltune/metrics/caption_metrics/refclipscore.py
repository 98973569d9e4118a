"""RefCLIPScore: CLIPScore together with how near a caption is to the nearest of its references."""

from __future__ import annotations

import numpy as np

from vltune.metrics.embeddings import Embeddings, clip_score

VALUES = ("RefCLIPScore",)
LISTED = VALUES
POSITION = 5
IMAGES = True


def statistics(embeddings: Embeddings) -> np.ndarray:
    """Score each image: [images]. The harmonic mean of CLIPScore and the largest cosine with a reference, cut
    off at 0; 0 where both are 0.

    Source: Hessel et al. 2021, CLIPScore, section 3, RefCLIPScore.
    """
    image = clip_score(embeddings.images, embeddings.prefixed)
    pairs = zip(embeddings.references, embeddings.prefixed, strict=True)
    text = np.array([max((references @ caption).max(), 0) for references, caption in pairs])
    total = image + text
    return 2 * image * text / np.where(total > 0, total, 1)
