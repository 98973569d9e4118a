"""CLIPScore from embeddings, without CLIP: literal values, degenerate rows first; what results say without
weights. CLIP itself is in tests/reference."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vltune.metrics import clip
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.embeddings import Embeddings
from vltune.metrics.interface import image_metrics
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import check
from vltune.pipeline.records import Prediction

SETTINGS = Evaluate(bootstrap_samples=200, confidence=0.95, seed=0)
ROWS = [Prediction(i, f"{i}.png", f"a dog number {i}", ["A dog.", "one dog"]) for i in range(2)]


def at(*degrees: float) -> np.ndarray:
    """Vectors of length 1 in the plane."""
    angle = np.radians(degrees)
    return np.stack((np.cos(angle), np.sin(angle)), axis=1)


def scored(embeddings: Embeddings) -> dict[str, list[float]]:
    return {metric.key: metric.statistics(embeddings).tolist() for metric in image_metrics()}


def test_scores_are_those_of_the_equations() -> None:
    """cos 60° = 0.5, cos 30° = 0.866; what points away from the image scores 0, whatever the references."""
    found = scored(Embeddings(at(0, 0, 0), at(60, 120, 60), at(0, 0, 90),
                              [at(30, 180), at(120, 0), at(240, 250)]))
    assert list(found) == ["CLIPScore", "RefCLIPScore", "CLIPScore-course"]
    assert found["CLIPScore"] == pytest.approx([1.25, 0, 1.25])
    nearest = np.sqrt(3) / 2
    assert found["RefCLIPScore"] == pytest.approx([2 / (1 / 1.25 + 1 / nearest), 0, 0])
    assert found["CLIPScore-course"] == pytest.approx([2.5, 2.5, 0])


def test_without_open_clip_the_reason_stands_in_the_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    settings = clip.ClipScore(model="ViT-B-32-quickgelu", weights="openai")
    found = clip.measure(ROWS, tmp_path, settings, SETTINGS, tmp_path)
    assert (found.metrics, found.per_image) == ({}, {})
    assert found.signature == {
        "not_computed": "open_clip is not installed; install it with `make setup EXTRAS=clip`"}


def test_blank_weights_are_refused() -> None:
    with pytest.raises(InputError, match=r"'clipscore\.weights' = ' ': expected a name, a file or a folder"):
        check(clip.ClipScore, "clipscore", {"model": "ViT-B-32", "weights": " "})
