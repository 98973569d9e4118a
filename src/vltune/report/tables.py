"""Runs and comparisons as tables for spreadsheets and for `dvc plots`; their columns are in
`comparison/frames.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from vltune.comparison import frames
from vltune.comparison.compare import Comparison, Method
from vltune.comparison.runs import SIZES, TIMINGS, Run, Scored
from vltune.comparison.tasks import TASKS, Control
from vltune.metrics.bootstrap import DIGITS
from vltune.metrics.vqa import TRUTH
from vltune.pipeline import paths

POINTS = 200  # of a curve in plots/curves_TASK.json, which git keeps
OPTIONAL = [f"{name}{end}" for name in (*TASKS["caption"].optional, TRUTH) for end in ("", "_low", "_high")]
WINDOW_SHARE = 0.05  # of a curve's steps, for the moving mean


def comparison(runs: list[Run]) -> pd.DataFrame:
    """Give metrics/comparison.csv: quality, controls, sizes
    and diversity, nothing that varies between equal runs. Metrics that not every data set has stand in it if
    a run has them."""
    rows = [_compared(run) | {"everything_share": share}
            for run, share in zip(runs, everything(runs), strict=True)]
    table = frames.frame(frames.COMPARISON, rows)
    return table.drop(columns=[name for name in OPTIONAL if table[name].isna().all()])


def _compared(run: Run) -> dict[str, Any]:
    row = run.row()
    for name, metric in run.scores.items():
        row |= {name: metric["value"], f"{name}_low": metric["low"], f"{name}_high": metric["high"]}
    row |= {control.column: run.control(control)[run.spec.main]["value"] for control in run.spec.controls}
    row |= {name: run.result[name] for name in SIZES}
    return row | {name: run.result["diversity"][name] for name in run.spec.diversity}


def resources(runs: list[Run]) -> pd.DataFrame:
    """Give metrics/resources.csv, a row for each training."""
    rows = [{"task": run.training, "method": run.method, "seed": run.seed,
             **{name: run.resources[name] for name in TIMINGS}} for run in runs if run.resources]
    once = [row for i, row in enumerate(rows) if row not in rows[:i]]  # a joint training has two runs
    return frames.frame(frames.RESOURCES, once)


def over_seeds(comparisons: list[Comparison]) -> pd.DataFrame:
    """Give metrics/methods.csv: each metric of each method over its seeds, with the interval of the mean.

    `images` are those that the metric is about: of an answer type, the ones with such a question.
    """
    rows = [
        {
            "task": method.task, "metric": name, "method": method.method,
            "mean": method.scores[name]["value"], **method.scores[name], "seeds": method.seeds,
            "images": comparison.images[name],
        }
        for comparison in comparisons
        for name in comparison.first.scores
        for method in comparison.methods
    ]
    return frames.frame(frames.METHODS, rows)


def verdicts(comparisons: list[Comparison]) -> pd.DataFrame:
    """Give metrics/verdicts.csv: each metric of each pair of methods."""
    numbers = ("difference", "low", "high", "p", "p_adjusted")
    rows = [
        {
            "task": comparison.first.task, "metric": name, "method": row.a, "other": row.b,
            **{column: round(getattr(row, column), DIGITS) for column in numbers}, "margin": verdicts.margin,
            "verdict": row.verdict, "about": verdicts.about, "family": comparison.family(row, verdicts),
            "within_margin": None if verdicts.margin is None else ("yes" if row.within_margin else "no"),
            "seeds": verdicts.seeds, "images": comparison.images[name],
        }
        for comparison in comparisons
        for name, verdicts in comparison.verdicts.items()
        for row in verdicts.rows
    ]
    return frames.frame(frames.VERDICTS, rows)


def quality(metric: str, methods: list[Method]) -> pd.DataFrame:
    """Give plots/quality_TASK.json: a task's main metric, under its own name, against what was trained.

    `low` and `high` end its interval, `blind` is what the method reaches
    with another image's features. `shown_percent` is the trained share where
    a logarithmic axis can draw it: zero stands a decade left of the others.
    """
    table = frames.frame(frames.quality(metric), [{
        "task": method.task, "method": method.method, "seeds": method.seeds, metric: method.main["value"],
        "low": method.main["low"], "high": method.main["high"], "blind": method.blind["value"],
        "trained_parameters": round(method.result["trained_parameters"]),
        "trained_percent": round(100 * method.result["trained_share"], 6),
    } for method in methods])
    positive = [
        100 * method.result["trained_share"] for method in methods if method.result["trained_share"] > 0
    ]
    zero_at = 10.0 ** (math.floor(math.log10(min(positive, default=1.0))) - 1)
    table["shown_percent"] = table["trained_percent"].where(table["trained_percent"] > 0, zero_at)
    return table


def question_types(methods: list[Method]) -> pd.DataFrame:
    """Give plots/question_types.json: the main metric of every method by type of question, beside it what the
    blind model reaches; at last the control that all share.

    Empty for a task without types.
    """
    rows: list[dict[str, Any]] = []
    if methods and methods[0].spec.baseline:
        rows = [row for method in methods for row in _types(method.method, method, method.spec.blind[0])]
        rows += _types(methods[0].spec.baseline.label, methods[0], None)
    return frames.frame(frames.QUESTION_TYPES, rows)


def _types(name: str, method: Method, blind: Control | None) -> list[dict[str, Any]]:
    """Give the rows of a method, or without `blind` those of the baseline."""
    own, controls = method.result["question_types"], method.result["control_question_types"]
    blinded = controls[blind.name] if blind else {}
    return [
        {
            "task": method.task, "method": name, "question_type": question_type,
            "questions": own[question_type]["questions"], method.spec.main: score["value"],
            "blind": blinded.get(question_type, {}).get("value"),
        }
        for question_type, score in (own if blind else controls[method.spec.baseline.name]).items()
    ]



def curves(runs: list[Run]) -> pd.DataFrame:
    """Give plots/curves_TASK.json: each run's training loss as a
    moving mean, and its validation losses, thinned evenly."""
    return pd.concat([frames.frame(frames.LOSSES, []), *(_curve(run) for run in runs if len(run.curve))])


def _curve(run: Run) -> pd.DataFrame:
    steps = len(run.curve)
    window, every = max(1, round(WINDOW_SHARE * steps)), max(1, math.ceil(steps / POINTS))
    loss = run.curve["loss"].astype(float).rolling(window, min_periods=1).apply(_mean, raw=True)
    table = run.curve.assign(**run.row(), loss=[round(x, 6) for x in loss])
    kept = (table.index % every == 0) | (table.index == steps - 1) | table["val_loss"].notna()
    return frames.frame(frames.LOSSES, frames.records(table[kept]))


def _mean(window: Any) -> float:
    known = [x for x in window.tolist() if not math.isnan(x)]
    return sum(known) / len(known)


def tuning(trials: list[dict[str, Any]]) -> pd.DataFrame:
    """Give the lowest validation loss expected of k trials
    of the search: a row for each task, method and k."""
    return frames.frame(frames.EXPECTED, [
        {"task": trial["task"], "method": trial["method"], "k": k, "val_loss": loss}
        for trial in trials for k, loss in enumerate(trial["best_of_k"], 1)])


def everything(scored: Sequence[Scored]) -> list[float | None]:
    """Give for runs, or methods, the share of decoder and projector together that they train.

    The projector of the start is fitted in closed form and counts as not trained. None where the size of the
    decoder is unknown, as nothing of it is trained.
    """
    decoder = decoder_parameters(scored)
    shares: list[float | None] = []
    for item in scored:
        trained, projector = item.result["trained_parameters"], item.result["projector_parameters"]
        known = None if decoder is None else (trained + projector) / (decoder + projector)
        shares.append(0.0 if item.method == paths.START else known)
    return shares


def decoder_parameters(scored: Sequence[Scored]) -> int | None:
    """Count the parameters of the decoder, by what trains the largest share of it; None if nothing does."""
    sizes = [(item.result["trained_share"], item.result["trained_parameters"]) for item in scored]
    share, trained = max(sizes, default=(0, 0))
    return round(trained / share) if share > 0 else None


def percent(share: float | None) -> str:
    """Write a share with three significant digits: 0.00871 as 0.871 %; empty if it is unknown."""
    return "" if share is None else f"{100 * share:.3g} %"
