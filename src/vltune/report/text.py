"""The comparison in tables and sentences, and as Markdown for metrics/comparison.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from vltune.comparison import significance
from vltune.comparison.compare import Comparison, Method
from vltune.comparison.estimates import FEWEST_SEEDS
from vltune.comparison.significance import Row
from vltune.report import groups
from vltune.report.meaning import meaning
from vltune.report.note import note
from vltune.report.tables import everything, percent

TITLES = {"caption": "Captions", "vqa": "Questions"}


def markdown(comparisons: list[Comparison], missing: list[str], metric: str | None = None) -> str:
    """Give tables and sentences, task by task; no timing is in it, so it repeats bit for bit.

    With `metric`, that one alone is shown.
    """
    written = [f"**{part}**" if title else part for title, part in parts(comparisons, metric, markdown_table)]
    if missing:
        written.append("Missing runs, left out: " + ", ".join(f"`{name}`" for name in missing) + ".")
    return "\n\n".join(written) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table of text in Markdown; columns of numbers are aligned on the right."""
    rule = ["---" if left else "---:" for left in left_aligned(table)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [table.columns, rule, *table.to_numpy()])


def parts(comparisons: list[Comparison], metric: str | None,
          write: Callable[[pd.DataFrame], str]) -> Iterator[tuple[bool, str]]:
    """Give tables and sentences; the flag marks the name of a task."""
    for comparison in comparisons:
        names = [metric] if metric else shown(comparison)
        yield True, comparison.first.task
        yield False, write(quality(comparison, names))
        yield False, note(comparison)
        if comparison.groups:
            yield False, write(groups.table(comparison, names, value, interval))
        table = pairs(comparison, names)
        if len(table):
            yield False, write(table)
        best = "" if metric else best_against_controls(comparison.methods)
        for sentence in (in_words(comparison, names[0]), meaning(comparison), best):
            if sentence:
                yield False, sentence


def shown(comparison: Comparison) -> list[str]:
    """Give the metrics that tables of text show, the main one first."""
    spec = comparison.first.spec
    return [name for name in (spec.main, *spec.listed) if name in comparison.first.scores]


def quality(comparison: Comparison, names: list[str]) -> pd.DataFrame:
    """Give one task's table as text: a row a method, and the control that all share.

    The first metric of `names` has its interval; controls and diversity stand beside the main metric alone.
    """
    task, main = comparison.first.spec, names[0] == comparison.first.spec.main
    several = any(method.seeds > 1 for method in comparison.methods)
    score = f"{names[0]}{' ± sd' * several} (interval)"
    rows, shares = [], everything(comparison.methods)
    for method, share in zip(comparison.methods, shares, strict=True):
        result, scores = method.result, method.scores
        row = {"method": method.method} | ({"seeds": str(method.seeds)} if several else {})
        row |= {"trained": f"{result['trained_parameters']:,}", "share": percent(result["trained_share"]),
                "with projector": percent(share)}
        row |= {score: interval(scores[names[0]])} | {name: value(scores[name]) for name in names[1:]}
        row |= method.not_computed if main else {}
        if main:
            row |= {
                control.label: f"{method.control(control)[task.main]['value']:.3f}" for control in task.blind
            }
        if main and task.diversity:
            row |= {"distinct-2": f"{result['diversity']['distinct-2']:.3f}",
                    "novel captions": percent(result["diversity"]["novel_share"])}
        rows.append(row)
    if task.baseline:
        scores = comparison.first.control(task.baseline)
        rows.append({"method": task.baseline.label, score: interval(scores[names[0]]),
                     **{name: value(scores[name]) for name in names[1:]}})
    return pd.DataFrame(rows).fillna("")


def value(score: dict[str, float | None]) -> str:
    """Write a score, with its spread over seeds where there are several."""
    return f"{score['value']:.3f}" + (f" ± {score['sd']:.3f}" if score.get("sd") is not None else "")


def interval(score: dict[str, float | None]) -> str:
    """Write a score with its interval."""
    return f"{value(score)} ({score['low']:.3f} to {score['high']:.3f})"


def left_aligned(table: pd.DataFrame) -> list[bool]:
    """Give which columns are aligned on the left: the first one, and those of words."""
    return [i == 0 or not table[name].str.contains(r"\d").any() for i, name in enumerate(table)]


def pairs(comparison: Comparison, names: Sequence[str]) -> pd.DataFrame:
    """Give the pairs' table as text: the first metric of `names`
    in numbers, then each verdict; empty without verdicts."""
    if not comparison.verdicts:
        return pd.DataFrame()
    rows = comparison.verdicts[names[0]].rows
    return pd.DataFrame({
        "method": [row.a for row in rows], "against": [row.b for row in rows],
        f"{names[0]} difference (interval)": [difference(row) for row in rows],
        "p (adjusted)": [p_value(row) for row in rows],
        **{name: [word(row) for row in comparison.verdicts[name].rows] for name in names},
    })


def p_value(row: Row) -> str:
    """Write the p-value after the correction over all pairs."""
    return "< 0.001" if row.p_adjusted < 5e-4 else f"{row.p_adjusted:.3f}"


def word(row: Row) -> str:
    """Write the word, and beside an established difference whether it is within the margin."""
    return row.verdict + (", within the margin" if row.established and row.within_margin else "")


def difference(row: Row) -> str:
    """Write a difference with its interval."""
    return f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})"


def in_words(comparison: Comparison, name: str) -> str:
    """Give the verdicts on one metric as a sentence; empty without verdicts."""
    if name not in comparison.verdicts:
        return ""
    verdicts = comparison.verdicts[name]
    scope = ", about these runs alone" if verdicts.about == significance.RUNS else ""
    rows = verdicts.rows
    won = [(row.a, row.b) for row in rows if row.low > 0] + [(row.b, row.a) for row in rows if row.high < 0]
    names = [method.method for method in comparison.methods]
    clauses = []
    for name_of_best in names:
        below = [worse for worse in names if (name_of_best, worse) in won]
        if below:
            clauses.append(f"{name_of_best} is better than {listed(below)}")
    open_rows = [row for row in rows if not row.established]
    for title, chosen in (("equivalent", [row for row in open_rows if row.within_margin]),
                          ("undecided", [row for row in open_rows if not row.within_margin])):
        if chosen:
            clauses.append(f"{title}: {', '.join(f'{row.a} and {row.b}' for row in chosen)}")
    return f"{name}{scope}: {'; '.join(clauses)}."


def best_against_controls(methods: list[Method]) -> str:
    """Compare the highest score of a parameter-efficient method with its blind control and the baseline.

    Empty for a task without a baseline, and where no method trains a part of the decoder.
    """
    baseline = methods[0].spec.baseline
    partly = [method for method in methods if 0 < method.result["trained_share"] < 1]
    if baseline is None or not partly:
        return ""
    best = max(partly, key=lambda method: method.main["value"])
    score, blind = best.main["value"], best.blind["value"]
    full = [method.main["value"] for method in methods
            if method.result["trained_share"] >= 1 and method.main["value"] > 0]
    against = f", {percent(score / max(full))} of that of full fine-tuning" if full else ""
    reference = best.control(baseline)
    below = [name for name, values in best.scores.items() if values["value"] <= reference[name]["value"]]
    conclusion = (f"Not above the {baseline.label}: {', '.join(below)}." if below
                  else f"Every type of answer is above the {baseline.label}.")
    scored = "method" if best.seeds >= FEWEST_SEEDS else "run"
    return (f"Highest score of a parameter-efficient {scored}: {best.method}, {best.spec.main} {score:.3f}"
            f"{against}; {100 * (score - blind):.1f} points above the same model blind ({blind:.3f}). "
            f"{conclusion}")


def listed(names: list[str]) -> str:
    """Write names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
