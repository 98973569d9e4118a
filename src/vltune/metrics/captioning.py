"""The caption task: from a predictions file to its scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vltune import layout
from vltune.errors import InputError
from vltune.metrics import bootstrap, captions, diversity, ptb, signature
from vltune.records import Prediction, read_captions, read_predictions
from vltune.sections import Evaluate


def measure(path: Path, settings: Evaluate) -> tuple[dict[str, Any], dict[str, list], dict[str, Any]]:
    """Score a predictions file; the training references are read from data/raw.

    Returns: metrics, diversity and the blind control; scores per image; the signature.
    Raises:
        InputError: a file is missing or of the wrong form, or Java does not work.
    """
    predictions = checked(path, read_predictions(path))
    known = [caption.caption for caption in read_captions(layout.captions("train")).captions]
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
    found = captions.score(hypotheses, references, counts, settings.confidence)
    blind = captions.other_image(hypotheses, references, counts, settings.confidence)
    scores = {
        "metrics": found.metrics, "diversity": diversity.measure(hypotheses, train), "controls": {"other_image": {"CIDEr": blind}},
    }
    return scores, {"images": [row.image_id for row in predictions], **found.per_image}


def _tokenized(predictions: list[Prediction], known: list[str]) -> tuple[list[str], list[list[str]], set[str]]:
    """Give hypotheses, references without those that hold no word, and the training references."""
    flat = [reference for row in predictions for reference in row.references]
    words = iter(ptb.tokenize([*flat, *known, *(row.caption for row in predictions)]))
    references = [[next(words) for _ in row.references] for row in predictions]
    train = {next(words) for _ in known}
    return list(words), [[text for text in group if text] for group in references], train
