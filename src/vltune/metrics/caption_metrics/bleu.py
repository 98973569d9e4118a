"""BLEU from counts per image, so that any set of images is scored without counting again."""

from __future__ import annotations

import numpy as np
from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test

ORDERS = 4
VALUES = tuple(f"BLEU-{order}" for order in range(1, ORDERS + 1))
LISTED = VALUES[-1:]
POSITION = 1
SMALL, TINY = 1e-9, 1e-15  # pycocoevalcap's guards against a division by zero


def statistics(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Count per image: clipped matches of 1- to 4-grams, 1- to
    4-grams, words, words of the reference closest in length.

    Source: Papineni et al. 2002, BLEU: a method for automatic evaluation of machine translation, section 2.
    """
    rows = []
    for hypothesis, others in zip(hypotheses, references, strict=True):
        counts = cook_test(hypothesis, cook_refs(others, n=ORDERS), eff="closest", n=ORDERS)
        rows.append([*counts["correct"], *counts["guess"], counts["testlen"], counts["reflen"]])
    return np.array(rows, dtype=float)


def value(sums: np.ndarray) -> np.ndarray:
    """Score sums of `statistics` [..., 10] as pycocoevalcap
    scores a corpus; gives BLEU-1 to BLEU-4 in the last axis.

    Source: Papineni et al. 2002, section 2.3, with the closest reference length.
    """
    x = np.asarray(sums, dtype=float)
    precisions = (x[..., :ORDERS] + TINY) / (x[..., ORDERS:2 * ORDERS] + SMALL)
    ratio = (x[..., 8] + TINY) / (x[..., 9] + SMALL)
    penalty = np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)
    return np.cumprod(precisions, axis=-1) ** (1 / np.arange(1, ORDERS + 1)) * penalty[..., None]
