"""The variants of a study side by side: the main metric of each method, whether its trainings are at the
plateau, and the word on each pair of methods. Of lengths of training, early speed and plateau stand apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from vltune.commands.study_runs import Runs
from vltune.comparison.compare import Comparison
from vltune.report import text

QUARTER = 0.75  # of the steps: from there to the end the validation loss should hardly fall
FALL = 0.01  # of the validation loss in the last quarter: less is the plateau
EVALUATIONS = 4  # of a training at least, so that one of them is at the end of the third quarter


def overview(runs: Runs, compared: dict[str, list[Comparison]]) -> Iterator[str]:
    """Give for each task that several variants have two tables: quality and plateau of every method, and
    the words on pairs, with a column for each variant. `compared` are the comparisons by variant."""
    by_task: dict[str, dict[str, Comparison]] = {}
    for variant, comparisons in compared.items():
        for comparison in comparisons:
            by_task.setdefault(comparison.first.task, {})[variant] = comparison
    for task, variants in by_task.items():
        if len(variants) > 1:
            main = next(iter(variants.values())).first.spec.main
            yield f"## {task}: {main} by variant"
            yield ("Under each variant the score, its interval, and whether the training is at the plateau: "
                   f"the validation loss fell by less than {100 * FALL:g} % in its last quarter.")
            yield text.markdown_table(_quality(runs, variants))
            words = _words(variants, main)
            if len(words):
                yield text.markdown_table(words)


def _quality(runs: Runs, variants: dict[str, Comparison]) -> pd.DataFrame:
    rows: dict[str, dict[str, str]] = {}
    for variant, comparison in variants.items():
        for method in comparison.methods:
            contents = [item.content for run, item in runs.finished.items()
                        if run[:3] == (variant, method.method, method.task) and item.trained]
            row = rows.setdefault(method.method, {"method": method.method})
            row[variant] = text.interval(method.main)
            row[f"{variant}: plateau"] = plateau(contents) if contents else ""
    return pd.DataFrame(list(rows.values())).fillna("")


def _words(variants: dict[str, Comparison], metric: str) -> pd.DataFrame:
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for variant, comparison in variants.items():
        for row in comparison.verdicts[metric].rows if comparison.verdicts else ():
            line = rows.setdefault((row.a, row.b), {"method": row.a, "against": row.b})
            line[variant] = f"{text.word(row)} ({row.difference:+.3f})"
    return pd.DataFrame(list(rows.values())).fillna("")


def plateau(contents: list[dict[str, Any]]) -> str:
    """Say whether trainings are at the plateau, or how many: their validation loss fell by less than FALL in
    the last quarter of the steps. Fewer than EVALUATIONS validations do not tell, which is said too."""
    falls = [last_fall(content) for content in contents if len(content["curve"]["step"]) >= EVALUATIONS]
    known = [fall for fall in falls if fall is not None]
    if len(known) < len(contents):
        return f"needs train.evaluations >= {EVALUATIONS}"
    reached = sum(fall < FALL for fall in known)
    return {0: "no", len(known): "yes"}.get(reached, f"{reached} of {len(known)}")


def last_fall(content: dict[str, Any]) -> float | None:
    """Give the share by which the validation loss fell in the last quarter of the steps; None if it was
    measured too rarely."""
    curve, steps = content["curve"], content["training"]["steps"]
    losses = zip(curve["step"], curve["val_loss"], strict=True)
    before = [loss for step, loss in losses if step <= QUARTER * steps]
    return 1 - curve["val_loss"][-1] / before[-1] if before else None
