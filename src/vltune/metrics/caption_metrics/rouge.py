"""ROUGE-L: the longest common subsequence of a caption with its references, by pycocoevalcap's class."""

from __future__ import annotations

import numpy as np
from pycocoevalcap.rouge.rouge import Rouge

VALUES = ("ROUGE-L",)
LISTED = VALUES
POSITION = 3


def statistics(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Score each image: [images].

    Source: Lin 2004, ROUGE: a package for automatic evaluation of summaries, section 3.
    """
    by_image = {i: [hypothesis] for i, hypothesis in enumerate(hypotheses)}
    return Rouge().compute_score(dict(enumerate(references)), by_image)[1]
