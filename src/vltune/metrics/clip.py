"""Metrics that look at the image: from predictions and CLIP's weights to scores, or to why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import field_validator

from vltune.metrics import bootstrap
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.embeddings import Embeddings, NotComputed
from vltune.metrics.interface import image_metrics
from vltune.metrics.scores import Scores, score
from vltune.pipeline.params import Section
from vltune.pipeline.records import Prediction

PREFIX = "A photo depicts "  # Hessel et al. 2021, section 3


class ClipScore(Section):
    """Section `clipscore`: which CLIP of open_clip, and where its weights are; without weights nothing is
    computed."""

    model: str
    weights: str | None

    @field_validator("weights")
    @classmethod
    def _not_empty(cls, weights: str | None) -> str | None:
        if weights is not None and not weights.strip():
            raise ValueError("expected a name, a file or a folder; leave it empty for no CLIPScore")
        return weights


OFF = ClipScore(model="", weights=None)


def measure(
    rows: list[Prediction], images: Path, settings: ClipScore, evaluate: Evaluate, cache: Path
) -> Scores:
    """Score captions against their images in the folder `images`; means over images, as CLIPScore is.

    Where CLIP is not installed or its weights cannot be fetched there are no scores, and the signature says
    why. Embeddings of images and references, equal for all methods, are kept in the folder `cache`.

    Raises:
        InputError: the weights are a file that is none, or do not fit the model; an image cannot be read.
    """
    from vltune.metrics import clip_model  # here: torch takes seconds, and most evaluations need none

    try:
        model = clip_model.load(settings.model, settings.weights)
    except NotComputed as reason:
        return Scores({}, {}, {"not_computed": str(reason)})
    embeddings = _embed(model, rows, images, cache)
    counts = bootstrap.draws(len(rows), evaluate.bootstrap_samples, evaluate.seed)
    scored = score(((metric, metric.statistics(embeddings)) for metric in image_metrics()), counts,
                   evaluate.confidence)
    return Scores(scored.metrics, scored.per_image, model.signature)


def _embed(model: Any, rows: list[Prediction], images: Path, cache: Path) -> Embeddings:
    """Embed images, captions with and without the prefix, and references."""
    references = [PREFIX + reference for row in rows for reference in row.references]
    flat = iter(model.cached(cache, "references", references))
    captions = [row.caption for row in rows]
    return Embeddings(
        model.cached(cache, "images", [images / row.file_name for row in rows]),
        model.texts("captions", [PREFIX + caption for caption in captions]),
        model.texts("captions without the prefix", captions),
        [[next(flat) for _ in row.references] for row in rows],
    )
