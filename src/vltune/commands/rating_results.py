"""What people's ratings say: of each method, of each pair of methods, of the raters, and of the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vltune.commands.rating_files import Answers
from vltune.commands.rating_sheet import REFERENCE, SCALES, Key, training
from vltune.comparison import ratings
from vltune.comparison.correlation import Correlation, correlate, scores_of_results
from vltune.comparison.ratings import Mean, Pair
from vltune.comparison.runs import load
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import sha256

FEW_RATERS = 3  # with fewer the intervals say little of other raters


@dataclass(frozen=True)
class Scale:
    """The results on one scale: means by method (the control too), pairs, agreement, and metrics."""

    means: dict[str, Mean]
    pairs: list[Pair]
    alpha: float | None
    correlations: list[Correlation]


def measure(
    key: Key, answers: list[Answers], metrics: dict[str, np.ndarray], level: float
) -> dict[str, Scale]:
    """Compute the results of both scales; intervals have the confidence 1 - `level`.

    Args: metrics, by metric the score of each row of the key, NaN for a caption of no method.
    """
    rows = {method: [i for i, row in enumerate(key.rows) if method in row.methods]
            for method in [*key.predictions, REFERENCE]}
    scored = [i for i, row in enumerate(key.rows) if set(row.methods) != {REFERENCE}]
    results = {}
    for scale in SCALES:
        given = np.stack([answer.ratings[scale] for answer in answers], axis=1)
        by_method = {method: given[numbers] for method, numbers in rows.items()}
        compared = {method: by_method[method] for method in key.predictions}
        results[scale] = Scale(
            {method: ratings.mean(values, level) for method, values in by_method.items()},
            ratings.pairs(compared, level), ratings.agreement(given),
            correlate({name: scores[scored] for name, scores in metrics.items()}, given[scored],
                      [key.rows[i].image_id for i in scored], level),
        )
    return results


def metric_scores(key: Key, root: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the score of each row of the key, by metric, from the results of the rated runs.

    Returns: the scores, NaN for a caption of no method; and the results files that are missing (no scores
    then).
    Raises:
        InputError: a predictions file is not the one that was rated, or results are of the wrong form.
    """
    rated = training(root)
    files = [root / paths.result(method, rated, key.seed) for method in key.predictions]
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        return {}, missing
    scores: dict[str, np.ndarray] = {}
    for method, expected in key.predictions.items():
        path = root / paths.predictions(method, rated, key.seed)
        if not path.is_file() or sha256(path) != expected:
            raise InputError(f"{path}: is not the file whose captions were rated, so its scores are of other "
                             "captions. Check out the commit of the sheet, or give its repository by --root")
        per_image = load(method, "caption", key.seed, rated, root).result["per_image"]
        index = {image: i for i, image in enumerate(per_image["images"])}
        of_method = [(i, index[row.image_id]) for i, row in enumerate(key.rows) if method in row.methods]
        rows, images = np.array(of_method).T
        for name, values in scores_of_results(per_image).items():
            scores.setdefault(name, np.full(len(key.rows), np.nan))[rows] = values[images]
    return scores, []


def tables(results: dict[str, Scale], confidence: float) -> dict[str, pd.DataFrame]:
    """Give the results as tables of text by their titles."""
    interval = f"{confidence:.0%} interval"
    shown = {}
    for scale, result in results.items():
        shown[f"{scale}: mean rating"] = [
            {"method": method, "mean": f"{mean.value:.2f}", interval: _interval(mean)}
            for method, mean in result.means.items()]
        shown[f"{scale}: differences"] = [
            {"method": pair.a, "other": pair.b, "difference": f"{pair.difference.value:+.2f}",
             interval: _interval(pair.difference), "p (images)": _p(pair.p_images),
             "p (and raters)": _p(pair.p_both), "verdict": pair.verdict} for pair in result.pairs]
        shown[f"{scale}: preferences, share of images"] = [
            {"method": pair.a, "other": pair.b, "method higher": f"{pair.preferred:.0%}",
             "equal": f"{1 - pair.preferred - pair.other:.0%}", "other higher": f"{pair.other:.0%}",
             "p": _p(pair.p_preferred)} for pair in result.pairs]
        shown[f"{scale}: correlation with metrics"] = [
            {"metric": row.metric, "tau-c": f"{row.tau:.3f}", interval: f"{row.low:.3f} to {row.high:.3f}"}
            for row in result.correlations]
    return {title: pd.DataFrame(rows) for title, rows in shown.items() if rows}


def notes(key: Key, answers: list[Answers], results: dict[str, Scale]) -> list[str]:
    """Say in sentences what the tables rest on."""
    images = len({row.image_id for row in key.rows})
    raters = "1 rater" if len(answers) == 1 else f"{len(answers)} raters"
    lines = [f"{raters} ({', '.join(answer.rater for answer in answers)}), {images} images, "
             f"{len(key.rows)} captions. '{REFERENCE}' is a human caption, the control."]
    if len(answers) < FEW_RATERS:
        lines.append(f"With fewer than {FEW_RATERS} raters, the intervals say little of how other people "
                     "would rate" + ("; they are over images alone." if len(answers) == 1 else "."))
    if len(answers) > 1:
        alphas = [f"{scale} {'undefined' if result.alpha is None else f'{result.alpha:.2f}'}"
                  for scale, result in results.items()]
        lines.append(f"Agreement of the raters, Krippendorff's alpha (ordinal): {', '.join(alphas)}.")
    largest = max((pair.sd for result in results.values() for pair in result.pairs), default=None)
    if largest is not None:
        lines.append(f"Differences have standard deviations over images of up to {largest:.2f} (--sd).")
    return lines


def _interval(mean: Mean) -> str:
    return f"{mean.low:.2f} to {mean.high:.2f}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
