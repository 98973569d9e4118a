"""The caption metrics of one set of hypotheses: values, intervals over images, and scores of each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from vltune.metrics import bleu, bootstrap, meteor

DIGITS = 10  # written: what a sum loses to its order of addition lies below


@dataclass(frozen=True)
class Scores:
    """Each metric's value, low and high end, and the scores of the images for those metrics that have one."""

    metrics: dict[str, dict[str, float]]
    per_image: dict[str, list[float]]


def score(hypotheses: list[str], references: list[list[str]], counts: np.ndarray, confidence: float) -> Scores:
    """Score tokenised hypotheses against tokenised references; `counts` are the draws of the bootstrap.

    CIDEr is CIDEr-D: the mean over images, with document frequencies of all references given here, also in the
    bootstrap. ROUGE-L is a mean over images. BLEU and METEOR are of the corpus: in the bootstrap each sample's
    statistics are added up and scored again, and METEOR per image does not average to METEOR.

    Source: Vedantam et al. 2015 (CIDEr), section 6; Lin 2004 (ROUGE-L), section 3; Chen et al. 2015, section 3.
    """
    cider, rouge = image_scores(hypotheses, references)
    bleu_counts = bleu.statistics(hypotheses, references)
    meteor_value, meteor_scores, meteor_counts = meteor.score(hypotheses, references)
    values = {"CIDEr": cider.mean(), "METEOR": meteor_value, "ROUGE-L": rouge.mean()}
    samples = {
        "CIDEr": bootstrap.means(counts, cider),
        "METEOR": meteor.from_statistics(bootstrap.sums(counts, meteor_counts)),
        "ROUGE-L": bootstrap.means(counts, rouge),
    }
    corpus = bleu.from_statistics(bleu_counts.sum(0))
    resampled = bleu.from_statistics(bootstrap.sums(counts, bleu_counts))
    for order in range(bleu.ORDERS):
        values[f"BLEU-{order + 1}"], samples[f"BLEU-{order + 1}"] = corpus[order], resampled[:, order]
    names = ["CIDEr", *(f"BLEU-{order + 1}" for order in range(bleu.ORDERS)), "METEOR", "ROUGE-L"]
    return Scores(
        {name: _row(values[name], *bootstrap.interval(samples[name], confidence)) for name in names},
        {name: [round(float(x), DIGITS) for x in column]
         for name, column in [("CIDEr", cider), ("METEOR", meteor_scores), ("ROUGE-L", rouge)]},
    )


def image_scores(hypotheses: list[str], references: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Give CIDEr-D and ROUGE-L of each image, by pycocoevalcap's classes.

    Source: Vedantam et al. 2015, CIDEr: consensus-based image description evaluation, section 6; Lin 2004, section 3.
    """
    said = {i: [hypothesis] for i, hypothesis in enumerate(hypotheses)}
    expected = dict(enumerate(references))
    return Cider().compute_score(expected, said)[1], Rouge().compute_score(expected, said)[1]


def _row(value: float, low: float, high: float) -> dict[str, float]:
    return {name: round(float(x), DIGITS) for name, x in [("value", value), ("low", low), ("high", high)]}
