"""The caption task: from a predictions file to its scores, with intervals over images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from vltune.metrics import bleu, bootstrap, diversity, meteor, signature, tokenize
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Prediction, read_captions, read_predictions


@dataclass(frozen=True)
class Scores:
    """Each metric's value, low and high end, and per image the score, or the statistics that add up (`metrics/per_image.py`)."""

    metrics: dict[str, dict[str, float]]
    per_image: dict[str, list[float] | list[str]]


def score_tokenized(hypotheses: list[str], references: list[list[str]], counts: np.ndarray, confidence: float) -> Scores:
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
         "BLEU": bootstrap.pack(bleu_counts), "METEOR": bootstrap.pack(meteor_counts)},
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


def measure(path: Path, settings: Evaluate) -> tuple[dict[str, Any], dict[str, list], dict[str, Any]]:
    """Score a predictions file; the training references are read from data/raw.

    Returns: metrics, diversity and the blind control; scores per image; the signature.
    Raises:
        InputError: a file is missing or of the wrong form, or Java does not work.
    """
    predictions = checked(path, read_predictions(path))
    known = [caption.caption for caption in read_captions(paths.captions("train")).captions]
    scores, per_image = score(path, predictions, known, settings)
    return scores, per_image, signature.sign_captions(predictions, known, settings)


def checked(path: Path, predictions: list[Prediction]) -> list[Prediction]:
    """Check the texts of predictions and give them in the order of image ids, which pairs the draws of all runs.

    An empty caption is allowed.

    Raises:
        InputError: a caption or reference is no text, or an image has no references; names the file and the row.
    """
    for i, row in enumerate(predictions):
        where = f"{path}: row {i} (image {row.image_id!r})"
        if not isinstance(row.caption, str):
            raise InputError(f"{where}: caption must be text, found {row.caption!r}")
        if not isinstance(row.references, list) or not row.references:
            raise InputError(f"{where}: expected a list of at least one reference, found {row.references!r}")
        for reference in row.references:
            if not isinstance(reference, str):
                raise InputError(f"{where}: a reference must be text, found {reference!r}")
    return sorted(predictions, key=lambda row: (isinstance(row.image_id, str), row.image_id))


def score(path: Path, predictions: list[Prediction], known: list[str], settings: Evaluate) -> tuple[dict[str, Any], dict[str, list]]:
    """Tokenise everything once, then measure; `known` are the references of the training split.

    Returns: metrics, diversity and the blind control; scores per image.
    Raises:
        InputError: no reference of an image holds a word; names the file and the image.
    """
    hypotheses, references, train = _tokenized(predictions, known)
    for row, words in zip(predictions, references, strict=True):
        if not words:
            raise InputError(f"{path}: image {row.image_id!r}: no reference holds a word: {row.references!r}")
    counts = bootstrap.draws(len(predictions), settings.bootstrap_samples, settings.seed)
    found = score_tokenized(hypotheses, references, counts, settings.confidence)
    blind = other_image(hypotheses, references, counts, settings.confidence)
    scores = {
        "metrics": found.metrics, "diversity": diversity.measure(hypotheses, train), "controls": {"other_image": {"CIDEr": blind}},
    }
    return scores, {"images": [row.image_id for row in predictions], **found.per_image}


def _tokenized(predictions: list[Prediction], known: list[str]) -> tuple[list[str], list[list[str]], set[str]]:
    """Give hypotheses, references without those that hold no word, and the training references."""
    flat = [reference for row in predictions for reference in row.references]
    words = iter(tokenize.tokenize([*flat, *known, *(row.caption for row in predictions)]))
    references = [[next(words) for _ in row.references] for row in predictions]
    train = {next(words) for _ in known}
    return list(words), [[text for text in group if text] for group in references], train
