"""The caption metrics of one set of hypotheses: values, intervals over images, and what each image brings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from vltune.metrics import bleu, bootstrap, meteor, packed


@dataclass(frozen=True)
class Scores:
    """Each metric's value, low and high end, and per image the score, or the statistics that add up (`metrics/per_image.py`)."""

    metrics: dict[str, dict[str, float]]
    per_image: dict[str, list[float] | list[str]]


def score(hypotheses: list[str], references: list[list[str]], counts: np.ndarray, confidence: float) -> Scores:
    """Score tokenised hypotheses against tokenised references; `counts` are the draws of the bootstrap.

    CIDEr is CIDEr-D: the mean over images, with document frequencies of all references given here, also in the
    bootstrap. ROUGE-L is a mean over images. BLEU and METEOR are of the corpus: in the bootstrap each sample's
    statistics are added up and scored again.

    Source: Vedantam et al. 2015 (CIDEr), section 6; Lin 2004 (ROUGE-L), section 3; Chen et al. 2015, section 3.
    """
    consensus, overlap = cider(hypotheses, references), rouge(hypotheses, references)
    bleu_counts = bleu.statistics(hypotheses, references)
    meteor_value, _, meteor_counts = meteor.score(hypotheses, references)
    values = {"CIDEr": consensus.mean(), "METEOR": meteor_value, "ROUGE-L": overlap.mean()}
    samples = {
        "CIDEr": bootstrap.means(counts, consensus),
        "METEOR": meteor.from_statistics(bootstrap.sums(counts, meteor_counts)),
        "ROUGE-L": bootstrap.means(counts, overlap),
    }
    corpus = bleu.from_statistics(bleu_counts.sum(0))
    resampled = bleu.from_statistics(bootstrap.sums(counts, bleu_counts))
    for order in range(bleu.ORDERS):
        values[f"BLEU-{order + 1}"], samples[f"BLEU-{order + 1}"] = corpus[order], resampled[:, order]
    names = ["CIDEr", *(f"BLEU-{order + 1}" for order in range(bleu.ORDERS)), "METEOR", "ROUGE-L"]
    return Scores(
        {name: bootstrap.row(values[name], samples[name], confidence) for name in names},
        {**{name: [round(float(x), bootstrap.DIGITS) for x in column] for name, column in [("CIDEr", consensus), ("ROUGE-L", overlap)]},
         "BLEU": packed.pack(bleu_counts), "METEOR": packed.pack(meteor_counts)},
    )


def other_image(hypotheses: list[str], references: list[list[str]], counts: np.ndarray, confidence: float) -> dict[str, float]:
    """Give CIDEr, with its interval, when each image gets the caption of another one.

    That is what the model says when it is blind: captioning has no prompt, so a caption depends on the image's features
    alone, and the features of another image bring that image's caption. The captions move by half the number of images,
    as neighbours in a list of ids may look alike. What is left says how much the wording alone earns.
    """
    half = len(hypotheses) // 2
    scores = cider([*hypotheses[half:], *hypotheses[:half]], references)
    return bootstrap.row(scores.mean(), bootstrap.means(counts, scores), confidence)


def cider(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Give CIDEr-D of each image [images], by pycocoevalcap's class.

    Source: Vedantam et al. 2015, CIDEr: consensus-based image description evaluation, section 6.
    """
    return Cider().compute_score(*_by_image(hypotheses, references))[1]


def rouge(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Give ROUGE-L of each image [images], by pycocoevalcap's class.

    Source: Lin 2004, ROUGE: a package for automatic evaluation of summaries, section 3.
    """
    return Rouge().compute_score(*_by_image(hypotheses, references))[1]


def _by_image(hypotheses: list[str], references: list[list[str]]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    return dict(enumerate(references)), {i: [hypothesis] for i, hypothesis in enumerate(hypotheses)}
