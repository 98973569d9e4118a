"""Runs as rows: the tables for spreadsheets and for `dvc plots`, and the words that all tables share."""

from __future__ import annotations

import math
from typing import Any

from vltune.comparison.compare import Comparison, Method
from vltune.comparison.runs import SIZES, TIMINGS, Run
from vltune.comparison.tasks import TASKS
from vltune.metrics.bootstrap import DIGITS

NAMES = ("task", "method", "seed")
COMPARISON = [
    *NAMES,
    *(f"{name}{end}" for kind in TASKS.values() for name in kind.metrics for end in ("", "_low", "_high")),
    *(control.column for kind in TASKS.values() for control in kind.controls),
    *SIZES,
    *(name for kind in TASKS.values() for name in kind.diversity),
]
RESOURCES = [*NAMES, *TIMINGS]
METHODS = ["task", "metric", "method", "mean", "sd", "low", "high", "seeds", "images"]
VERDICTS = ["task", "metric", "method", "other", "difference", "low", "high", "p", "p_holm", "verdict", "seeds", "images"]
POINTS = 200  # of a curve in plots/curves.json, which git keeps
WINDOW_SHARE = 0.05  # of a curve's steps, for the moving mean


def comparison(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the rows of metrics/comparison.csv: quality, controls, sizes and diversity, nothing that varies between equal runs."""
    rows = []
    for run in runs:
        row = run.row()
        for name, metric in run.scores.items():
            row |= {name: metric["value"], f"{name}_low": metric["low"], f"{name}_high": metric["high"]}
        row |= {control.column: run.control(control)[run.kind.main]["value"] for control in run.kind.controls}
        row |= {name: run.result[name] for name in SIZES}
        rows.append(row | {name: run.result["diversity"][name] for name in run.kind.diversity})
    return rows


def resources(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the rows of metrics/resources.csv, for the runs that were trained."""
    return [run.row() | {name: run.resources[name] for name in TIMINGS} for run in runs if run.resources]


def over_seeds(comparisons: list[Comparison]) -> list[dict[str, Any]]:
    """Give the rows of metrics/methods.csv: each metric of each method over its seeds, with the interval of the mean.

    `images` are those that the metric is about: of an answer type, the ones with such a question.
    """
    return [{"task": one.task, "metric": name, "method": one.method, "mean": score["value"], "sd": score["sd"], "low": score["low"],
             "high": score["high"], "seeds": one.seeds, "images": comparison.images[name]}
            for comparison in comparisons for name in comparison.first.scores for one in comparison.methods for score in [one.scores[name]]]


def verdicts(comparisons: list[Comparison]) -> list[dict[str, Any]]:
    """Give the rows of metrics/verdicts.csv: each metric of each pair of methods."""
    return [{"task": comparison.first.task, "metric": name, "method": row.a, "other": row.b,
             **{column: round(getattr(row, column), DIGITS) for column in ("difference", "low", "high", "p", "p_holm")},
             "verdict": row.verdict, "seeds": found.seeds, "images": comparison.images[name]}
            for comparison in comparisons for name, found in comparison.verdicts.items() for row in found.rows]


def quality(methods: list[Method]) -> list[dict[str, Any]]:
    """Give the records of plots/quality_TASK.json: a task's main metric, under its own name, against what was trained.

    `low` and `high` end its interval, `blind` is what the method reaches with another image's features. `shown_percent` is
    the trained share where a logarithmic axis can draw it: zero stands a decade left of the others.
    """
    positive = [100 * one.result["trained_share"] for one in methods if one.result["trained_share"] > 0]
    zero_at = 10.0 ** (math.floor(math.log10(min(positive, default=1.0))) - 1)
    rows = []
    for one in methods:
        percent = round(100 * one.result["trained_share"], 6)
        rows.append({
            "task": one.task, "method": one.method, "seeds": one.seeds,
            one.kind.main: one.main["value"], "low": one.main["low"], "high": one.main["high"], "blind": one.blind["value"],
            "trained_parameters": one.result["trained_parameters"], "trained_percent": percent, "shown_percent": percent or zero_at,
        })
    return rows


def curves(runs: list[Run]) -> list[dict[str, Any]]:
    """Give the records of plots/curves.json: each run's training loss as a moving mean, and its validation losses."""
    records = []
    for run in runs:
        window, every = max(1, round(WINDOW_SHARE * len(run.curve))), max(1, math.ceil(len(run.curve) / POINTS))
        for i, row in enumerate(run.curve):
            if i % every and row["val_loss"] is None and i + 1 < len(run.curve):
                continue
            recent = [one["loss"] for one in run.curve[max(0, i + 1 - window):i + 1] if one["loss"] is not None]
            mean = round(sum(recent) / len(recent), 6) if recent else None
            records.append(run.row() | {"step": row["step"], "loss": mean, "val_loss": row["val_loss"]})
    return records


def tuning(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give for every task and method the least validation loss that k trials of the search are expected to find, a row each k."""
    return [{"task": one["task"], "method": one["method"], "k": k, "val_loss": loss}
            for one in trials for k, loss in enumerate(one["best_of_k"], 1)]


def percent(share: float) -> str:
    """Write a share with three digits that count: 0.00871 as 0.871 %."""
    return f"{100 * share:.3g} %"
