"""CIDEr-D: the tf-idf weighted n-gram similarity of a
caption with its references, by pycocoevalcap's class."""

from __future__ import annotations

import numpy as np
from pycocoevalcap.cider.cider import Cider

VALUES = ("CIDEr",)
LISTED = VALUES
POSITION = 0


def statistics(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Score each image: [images]. The document frequencies are those of all references that are passed.

    Source: Vedantam et al. 2015, CIDEr: consensus-based image description evaluation, section 6.
    """
    by_image = {i: [hypothesis] for i, hypothesis in enumerate(hypotheses)}
    return Cider().compute_score(dict(enumerate(references)), by_image)[1]
