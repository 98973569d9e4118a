"""From what results files hold per image to metrics, intervals
of methods, and verdicts on pairs.

`per_image` has `images`, their ids. Of captions it has for each metric a score or a line of statistics an
image (`metrics/interface.py`). Of questions it has `questions` and `right`: for each metric (overall and by
answer type) how many questions an image has, and the sum of their accuracies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vltune.comparison import scores, significance
from vltune.comparison.estimates import FEWEST_SEEDS, Estimate, estimate
from vltune.comparison.scores import Metric
from vltune.comparison.significance import Family
from vltune.comparison.tasks import FURTHER
from vltune.metrics import bootstrap
from vltune.metrics.bootstrap import DIGITS, Evaluate
from vltune.metrics.interface import CaptionMetric, caption_metrics

PerImage = Mapping[str, Any]
Seeds = Sequence[PerImage]  # one method, trained with several seeds


@dataclass(frozen=True)
class Verdicts:
    """All pairs of methods in one metric, from how many seeds of each, and the margin of `equivalent`."""

    rows: list[significance.Row]
    seeds: int
    margin: float | None = None

    @property
    def about(self) -> str:
        """What the words are about: `methods`, or `runs` where the seeds are too few."""
        return significance.METHODS if self.seeds >= FEWEST_SEEDS else significance.RUNS


def metric(name: str, methods: Mapping[str, Seeds]) -> Metric:
    """Build the metric `name` of methods with equally many seeds, over the same images.

    Raises:
        InputError: as the builders of `scores` do.
    """
    return _caption(*CAPTION[name], methods) if name in CAPTION else _accuracy(name, methods)


def estimates(name: str, methods: Mapping[str, Seeds], settings: Evaluate) -> dict[str, Estimate]:
    """Give each method's mean over its seeds, their spread, and the interval; methods may have different
    numbers of seeds, or of questions.

    Source: see `estimates.estimate`.
    """
    estimates_by_method: dict[str, Estimate] = {}
    for method, seeds in methods.items():  # one by one: the aligned start answers fewer questions than others
        estimates_by_method |= estimate(metric(name, {method: seeds}), level(settings))
    return estimates_by_method


def verdicts(
    name: str, methods: Mapping[str, Seeds], settings: Evaluate, margin: float | None = None,
    family: Family | None = None,
) -> Verdicts:
    """Compare all pairs, with as many seeds of each method,
    the first ones, as the method with the fewest has. `margin` is the largest difference that does not
    matter, `family` the pairs that were declared.

    Raises:
        InputError: as `significance.compare`.

    Source: see `significance.compare`.
    """
    methods, number = equally_many(methods)
    rows = significance.compare(metric(name, methods), level(settings), margin, family)
    return Verdicts(rows, number, margin)


def equally_many(methods: Mapping[str, Seeds]) -> tuple[dict[str, Seeds], int]:
    """Keep as many seeds of each method, the first ones, as the method with the fewest has; give their number
    too."""
    number = min(len(seeds) for seeds in methods.values())
    return {method: seeds[:number] for method, seeds in methods.items()}, number


def images(name: str, per_image: PerImage) -> int:
    """Count the images that a metric is about: an image
    without a question of a kind says nothing of that kind."""
    return (
        int(np.count_nonzero(per_image["questions"][name]))
        if "questions" in per_image
        else len(per_image["images"])
    )


def level(settings: Evaluate) -> float:
    """Give the share of false verdicts that is accepted: what the intervals' confidence leaves."""
    return round(1 - settings.confidence, DIGITS)


def _caption(metric: CaptionMetric, column: int, methods: Mapping[str, Seeds]) -> Metric:
    rows = {method: [seed[metric.key] for seed in seeds] for method, seeds in methods.items()}
    if metric.value is None:
        return scores.means(rows)
    statistics = {method: [bootstrap.unpack(lines) for lines in seeds] for method, seeds in rows.items()}
    return scores.corpus(statistics, lambda sums: metric.value(sums)[..., column])


def _accuracy(name: str, methods: Mapping[str, Seeds]) -> Metric:
    counts = next(iter(methods.values()))[0]["questions"][name]
    sums = {method: [seed["right"][name] for seed in seeds] for method, seeds in methods.items()}
    return scores.ratios(sums, counts)


CAPTION = {
    name: (metric, column) for metric in (*caption_metrics(), *FURTHER)
    for column, name in enumerate(metric.values)
}
