"""The comparison as text: Markdown for metrics/comparison.md and README, aligned columns for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import fill

from vltune.report.comparing import Comparison
from vltune.report.tables import percent
from vltune.report.verdicts import best_against_controls, in_words, meaning, note, pairs

Cells = list[list[str]]
WIDTH = 120  # of the terminal's sentences


def markdown(comparisons: list[Comparison], missing: list[str], metric: str | None = None) -> str:
    """Give tables and sentences, task by task; no timing is in it, so it repeats bit for bit.

    With `metric`, that one alone is shown.
    """
    def table(cells: Cells) -> str:
        rule = ["---" if left else "---:" for left in _left(cells)]
        return "\n".join(f"| {' | '.join(line)} |" for line in [cells[0], rule, *cells[1:]])

    parts = [f"**{part}**" if task else part for task, part in _parts(comparisons, metric, table)]
    if missing:
        parts.append("Missing runs, left out: " + ", ".join(f"`{name}`" for name in missing) + ".")
    return "\n\n".join(parts) + "\n"


def terminal(comparisons: list[Comparison], metric: str | None = None) -> str:
    """Give the same for a terminal."""
    def table(cells: Cells) -> str:
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [[cell.ljust(n) if left else cell.rjust(n) for cell, n, left in zip(line, widths, _left(cells), strict=True)]
                 for line in cells]
        return "\n".join("  ".join(line).rstrip() for line in lines)

    return "\n\n".join(part if task or "\n" in part else fill(part, WIDTH) for task, part in _parts(comparisons, metric, table)) + "\n"


def _parts(comparisons: list[Comparison], metric: str | None, table: Callable[[Cells], str]) -> Iterator[tuple[bool, str]]:
    """Give tables and sentences; the flag marks the name of a task."""
    for one in comparisons:
        names = [metric] if metric else shown(one)
        yield True, one.first.task
        yield False, table(quality(one, names))
        yield False, note(one)
        cells = pairs(one, names)
        if cells:
            yield False, table(cells)
        for sentence in (in_words(one, names[0]), meaning(one), "" if metric else best_against_controls(one.methods)):
            if sentence:
                yield False, sentence


def shown(comparison: Comparison) -> list[str]:
    """Give the metrics that tables of text show, the main one first."""
    kind = comparison.first.kind
    return [name for name in (kind.main, *kind.listed) if name in comparison.first.scores]


def quality(comparison: Comparison, names: list[str]) -> Cells:
    """Give the cells of one task's table: the head, a row a method, and the control that all share.

    The first metric of `names` has its interval; controls and diversity stand beside the main metric alone.
    """
    kind, methods = comparison.first.kind, comparison.methods
    several, main = any(method.seeds > 1 for method in methods), names[0] == kind.main
    blind = kind.blind if main else ()
    varied = {"distinct-2": "distinct-2", "novel_share": "novel captions"} if kind.diversity and main else {}
    head = ["method", *["seeds"] * several, "trained", "share", f"{names[0]}{' ± sd' * several} (interval)", *names[1:],
            *(control.label for control in blind), *varied.values()]
    rows = []
    for one in methods:
        rows.append([
            one.method, *[str(one.seeds)] * several, f"{one.result['trained_parameters']:,}", percent(one.result["trained_share"]),
            interval(one.scores[names[0]]), *(value(one.scores[name]) for name in names[1:]),
            *(f"{one.control(control)[kind.main]['value']:.3f}" for control in blind),
            *([f"{one.result['diversity']['distinct-2']:.3f}", percent(one.result["diversity"]["novel_share"])] if varied else []),
        ])
    if kind.floor:
        scores = comparison.first.control(kind.floor)
        row = [kind.floor.label, *[""] * several, "", "", interval(scores[names[0]]), *(value(scores[name]) for name in names[1:])]
        rows.append([*row, *[""] * (len(head) - len(row))])
    return [head, *rows]


def value(score: dict[str, float | None]) -> str:
    """Write a score, with its spread over seeds where there are several."""
    return f"{score['value']:.3f}" + (f" ± {score['sd']:.3f}" if score.get("sd") is not None else "")


def interval(score: dict[str, float | None]) -> str:
    """Write a score with its interval."""
    return f"{value(score)} ({score['low']:.3f} to {score['high']:.3f})"


def _left(cells: Cells) -> list[bool]:
    """Say which columns stand on the left: the first one, and those of words."""
    return [i == 0 or not any(letter.isdigit() for cell in column[1:] for letter in cell)
            for i, column in enumerate(zip(*cells, strict=True))]
