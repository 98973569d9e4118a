"""The tables of the page, task by task: a short one to read first, and the rest."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vltune.comparison.compare import Comparison, Method
from vltune.comparison.significance import Row
from vltune.report import faithfulness, text
from vltune.report import groups as by_group
from vltune.report.answer import against_most_trained, most_trained
from vltune.report.cells import Cell, Table, number, score, table
from vltune.report.tables import percent

NO_BREAK = "\u00a0"


def main(comparison: Comparison, costs: pd.DataFrame) -> Table:
    """Give the main metric of every method, what it trains, and its word against the method that trains most.

    `costs` is of `costs.table`.
    """
    words, most = against_most_trained(comparison), most_trained(comparison.methods).method
    rows = []
    for method, cost in zip(comparison.methods, costs.to_dict("records"), strict=True):
        everything = cost["everything_percent"]
        small = "" if pd.isna(everything) else f"{everything:.3g} % with projector"
        share = method.result["trained_share"]
        row = {"method": _name(method), comparison.first.spec.main: score(method.main),
               "trained": Cell(percent(share), small, share)}
        if words:
            row[f"against {most}"] = (_word(comparison, method.method, *words[method.method])
                                      if method.method in words else Cell(""))
        rows.append(row)
    return table(rows)


def _word(comparison: Comparison, method: str, word: str, row: Row) -> Cell:
    """Write a word, under it the difference from the method that trains most, and whether it was declared."""
    difference = row.difference if row.a == method else -row.difference
    within = "within the margin; " if row.established and row.within_margin else ""
    family = comparison.family(row, comparison.verdicts[comparison.first.spec.main])
    p = f"p {text.p_value(row)}".replace(" ", NO_BREAK)
    return Cell(word, f"{within}{difference:+.3f}, {p}, {family}", difference)


def metrics(comparison: Comparison) -> Table:
    """Give every metric of every method with its interval and
    its blind controls, and last the control that all share."""
    task, first = comparison.first.spec, comparison.first
    rows = []
    for method in comparison.methods:
        row = {"method": _name(method)} | {name: score(scores) for name, scores in method.scores.items()}
        row |= method.not_computed
        rows.append(
            row | {control.label: score(method.control(control)[task.main]) for control in task.blind})
    if task.baseline:
        scores = first.control(task.baseline)
        rows.append({"method": task.baseline.label, **{name: score(scores[name]) for name in first.scores}})
    return table(rows)


def groups(comparison: Comparison) -> Table | None:
    """Give the scores by group of test images; None where the data set has none."""
    content = by_group.table(comparison, text.shown(comparison), text.value, text.interval)
    if not len(content):
        return None
    return Table(list(content), [[Cell(cell, "", _leading(cell.partition(" ")[0])) for cell in line]
                                 for line in content.to_numpy().tolist()])


def pairs(comparison: Comparison) -> Table | None:
    """Give the verdicts on all pairs; None without any."""
    content = text.pairs(comparison, text.shown(comparison))
    if not len(content):
        return None
    rows = comparison.verdicts[comparison.first.spec.main].rows
    numbers = {2: [row.difference for row in rows], 3: [row.p_adjusted for row in rows]}
    return Table(list(content), [
        [Cell(cell, "", numbers[x][y] if x in numbers else None) for x, cell in enumerate(line)]
        for y, line in enumerate(content.to_numpy().tolist())])


def types(methods: list[Method]) -> Table:
    """Give the main metric of every method by type of question, under it that of the blind model."""
    task = methods[0].spec
    rows = []
    for name, first in methods[0].result["question_types"].items():
        row = {"question type": name, "questions": number(first["questions"], ",")}
        for method in methods:
            blind = method.result["control_question_types"][task.blind[0].name].get(name)
            own = method.result["question_types"].get(name)
            row[method.method] = number(own["value"], ".3f", f"blind {blind['value']:.3f}" if blind else
                                        "blind: not asked") if own else Cell("not asked")
        common = methods[0].result["control_question_types"][task.baseline.name][name]["value"]
        rows.append(row | {task.baseline.label: number(common, ".3f")})
    return table(rows)


def costs(comparison: Comparison, content: pd.DataFrame) -> Table:
    """Give sizes of every method, and of its training time and memory; `content` is of `costs.table`."""
    columns = {"seconds": ("training s", ".1f"), "step_seconds": ("s per step", ".3f"),
               "captions_per_second": ("texts per s", ".1f"), "memory_gb": ("peak GB", ".2f"),
               "checkpoint_mb": ("checkpoint MB", ",.2f")}
    rows = []
    for method, cost in zip(comparison.methods, content.to_dict("records"), strict=True):
        row = {"method": method.method, "trained": number(method.result["trained_parameters"], ",.0f"),
               "projector": number(method.result["projector_parameters"], ",.0f")}
        rows.append(row | {label: number(cost[name], form) for name, (label, form) in columns.items()
                           if not pd.isna(cost[name])})
    return table(rows)


def diversity(methods: list[Method]) -> Table:
    """Give how varied the texts of every method are, beside its main metric."""
    rows = []
    for method in methods:
        own = method.result["diversity"]
        rows.append({
            "method": method.method, method.spec.main: number(method.main["value"], ".3f"),
            "distinct-1": number(own["distinct-1"], ".3f"), "distinct-2": number(own["distinct-2"], ".3f"),
            "vocabulary": number(own["vocabulary"], ",.0f"),
            **{name: Cell(percent(own[f"{name}_share"]), "", own[f"{name}_share"])
               for name in ("unique", "novel")},
            "words": number(own["mean_length"], ".1f"),
        })
    return table(rows)


def tuning(trials: list[dict[str, Any]]) -> Table:
    """Give the best values of the search for every method,
    and the loss that k trials are expected to reach."""
    rows = []
    for trial in trials:
        best = ", ".join(f"{name} {value:g}" for name, value in trial["best"].items())
        row = {"task": trial["task"], "method": trial["method"],
               "best values": Cell(best, f"trial {trial['trial']}, {trial['steps']} steps")}
        rows.append(row | {f"best of {k}": number(loss, ".3f")
                           for k, loss in enumerate(trial["best_of_k"], 1)})
    return table(rows)


def attention(rows: list[dict[str, Any]]) -> Table:
    """Give the check of attention, in nats."""
    return table([{name: Cell(*cell, _leading(cell[0])) for name, cell in line.items()}
                  for line in faithfulness.table(rows)])


def _name(method: Method) -> Cell:
    return Cell(method.method, f"{method.seeds} seeds" if method.seeds > 1 else "")


def _leading(number_text: str) -> float | None:
    try:
        return float(number_text)
    except ValueError:
        return None
