"""The caption task: from a predictions file to its scores, with intervals over images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vltune.metrics import bootstrap, clip, diversity, scores, signature, tokenize, truth
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.caption_metrics import cider
from vltune.metrics.interface import caption_metrics
from vltune.metrics.scores import Scores
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Prediction, read_captions, read_predictions


def score_tokenized(
    hypotheses: list[str], references: list[list[str]], counts: np.ndarray, confidence: float
) -> Scores:
    """Score tokenised hypotheses against tokenised references; `counts` are the draws of the bootstrap.

    CIDEr's document frequencies are those of all references passed here, in the bootstrap too.

    Source: Chen et al. 2015, Microsoft COCO captions: data collection and evaluation server, section 3.
    """
    counted = ((metric, metric.statistics(hypotheses, references)) for metric in caption_metrics())
    return scores.score(counted, counts, confidence)


def other_image(
    hypotheses: list[str], references: list[list[str]], counts: np.ndarray, confidence: float
) -> dict[str, float]:
    """Give CIDEr, with its interval, when each image gets the caption of another one.

    This is the blind control: captioning has no prompt, so a caption depends on the image's features alone,
    and a model that sees another image's features generates that image's caption. The captions are shifted by
    half the number of images, because neighbours in a list of ids may look alike. What is left is the score
    due to the language prior alone.
    """
    half = len(hypotheses) // 2
    shifted = cider.statistics([*hypotheses[half:], *hypotheses[:half]], references)
    return bootstrap.row(shifted.mean(), bootstrap.means(counts, shifted), confidence)


def measure(
    path: Path, settings: Evaluate, images: clip.ClipScore = clip.OFF
) -> tuple[dict[str, Any], dict[str, list], dict[str, Any]]:
    """Score a predictions file; training references and images are read from data/raw.

    Returns: metrics, diversity and the blind control; scores per image; the signature.
    Raises:
        InputError: a file is missing or of the wrong form, or Java does not work.
    """
    predictions = checked(path, read_predictions(path))
    training = read_captions(paths.captions("train"))
    known = [caption.caption for caption in training.captions]
    measured, per_image = score(path, predictions, known, settings)
    signed = signature.sign_captions(predictions, known, settings)
    signed |= signature.sign_shared_images(predictions, training.images)
    further = {"scenes": truth.of_captions(path, predictions, settings)}
    if images.weights is not None:
        further["clipscore"] = clip.measure(
            predictions, paths.images("test"), images, settings, paths.CLIP_CACHE)
    for name, more in further.items():
        if more is not None:
            measured["metrics"] |= more.metrics
            per_image |= more.per_image
            signed |= {name: more.signature}
    return measured, per_image, signed


def checked(path: Path, predictions: list[Prediction]) -> list[Prediction]:
    """Check the texts of predictions and give them in the
    order of image ids, which pairs the draws of all runs.

    An empty caption is allowed.

    Raises:
        InputError: a caption or reference is no text, or an
            image has no references; names the file and the row.
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


def score(
    path: Path, predictions: list[Prediction], known: list[str], settings: Evaluate
) -> tuple[dict[str, Any], dict[str, list]]:
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
    scored = score_tokenized(hypotheses, references, counts, settings.confidence)
    blind = other_image(hypotheses, references, counts, settings.confidence)
    measured = {
        "metrics": scored.metrics, "diversity": diversity.measure(hypotheses, train),
        "controls": {"other_image": {"CIDEr": blind}},
    }
    return measured, {"images": [row.image_id for row in predictions], **scored.per_image}


def _tokenized(
    predictions: list[Prediction], known: list[str]
) -> tuple[list[str], list[list[str]], set[str]]:
    """Give hypotheses, references without those that hold no word, and the training references."""
    flat = [reference for row in predictions for reference in row.references]
    words = iter(tokenize.tokenize([*flat, *known, *(row.caption for row in predictions)]))
    references = [[next(words) for _ in row.references] for row in predictions]
    train = {next(words) for _ in known}
    return list(words), [[text for text in group if text] for group in references], train
