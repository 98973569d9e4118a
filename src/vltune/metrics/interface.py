"""The metrics of captions, found by the names of their files: `caption_metrics/NAME.py`.

A file has

- `statistics(hypotheses, references)`: numbers for each image, from tokenised captions and references.
  [images] are scores, whose mean over images is the metric; [images, columns] are counts, which are summed
  over images;
- `value(sums)`, for counts alone: the metric of sums [..., columns], as [..., len(VALUES)];
- `VALUES`: the names of the metric's values; `LISTED`: those of them that metrics/comparison.md shows;
- `POSITION`: where it stands in tables, the main metric first;
- `IMAGES = True`, if it looks at the images: `statistics(embeddings)` then takes CLIP's embeddings
  (`embeddings.py`) and gives scores [images]. It is computed where the section `clipscore` has weights;
- `SCENES = True`, if it compares captions with records of drawn images: `statistics(judged)` then takes what
  `scene_truth.py` found of each caption. It is computed where the data set has such records.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("caption_metrics")


@dataclass(frozen=True)
class CaptionMetric:
    """A metric of captions; `value` is None where the metric is the mean of `statistics` over images."""

    values: tuple[str, ...]
    listed: tuple[str, ...]
    statistics: Callable[..., np.ndarray]
    value: Callable[[np.ndarray], np.ndarray] | None

    @property
    def key(self) -> str:
        """Its key in `per_image` of results files: BLEU for BLEU-1 to BLEU-4."""
        return self.values[0] if len(self.values) == 1 else self.values[0].rpartition("-")[0]


@cache
def caption_metrics() -> tuple[CaptionMetric, ...]:
    """Load every metric of texts alone, in the order of tables."""
    return _loaded("")


@cache
def image_metrics() -> tuple[CaptionMetric, ...]:
    """Load every metric that looks at the images too, in the order of tables."""
    return _loaded("IMAGES")


@cache
def scene_metrics() -> tuple[CaptionMetric, ...]:
    """Load every metric that looks at records of drawn images, in the order of tables."""
    return _loaded("SCENES")


def _loaded(needs: str) -> tuple[CaptionMetric, ...]:
    names = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")
    modules = [importlib.import_module(f"{__package__}.{FOLDER.name}.{name}") for name in names]
    modules.sort(key=lambda module: module.POSITION)
    return tuple(
        CaptionMetric(module.VALUES, module.LISTED, module.statistics, getattr(module, "value", None))
        for module in modules
        if needs == next((name for name in ("IMAGES", "SCENES") if getattr(module, name, False)), "")
    )
