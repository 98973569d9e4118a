"""Embeddings of images and texts by CLIP, on which the metrics that look at images are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WEIGHT = 2.5  # w in Hessel et al. 2021, equation 1: brings most scores between 0 and 1


class NotComputed(Exception):
    """CLIP cannot be loaded here; the text says why and what to do, and stands in results for the scores."""


@dataclass(frozen=True)
class Embeddings:
    """What CLIP makes of images and their texts; every row has length 1.

    `prefixed` and `references` are of texts behind "A photo depicts ", `bare` of captions as they are.
    """

    images: np.ndarray  # [images, width]
    prefixed: np.ndarray  # [images, width]
    bare: np.ndarray  # [images, width]
    references: list[np.ndarray]  # of each image: [references, width]


def clip_score(images: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """Give w max(cos(caption, image), 0) of each image, from embeddings [images, width] of length 1.

    Source: Hessel et al. 2021, CLIPScore: a reference-free evaluation metric for image captioning, eq. 1.
    """
    return WEIGHT * np.maximum((images * captions).sum(-1), 0)
