"""The comparison in tables and sentences: Markdown for metrics/comparison.md, aligned columns for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from textwrap import fill

from vltune.comparison.compare import Comparison, Method
from vltune.comparison.per_image import level
from vltune.comparison.significance import Row
from vltune.report.tables import percent

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
    if kind.baseline:
        scores = comparison.first.control(kind.baseline)
        row = [kind.baseline.label, *[""] * several, "", "", interval(scores[names[0]]), *(value(scores[name]) for name in names[1:])]
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


def note(comparison: Comparison) -> str:
    """Say what the numbers of one task mean: images, seeds, interval, controls, projector."""
    first, settings = comparison.first, comparison.first.settings
    signature = first.result["signature"]
    sizes = sorted({method.result["projector_parameters"] for method in comparison.methods})
    questions = f" with {signature['questions']:,} questions" if "questions" in signature else ""
    several = any(method.seeds > 1 for method in comparison.methods)
    drawn = "hierarchical bootstrap over images and seeds" if several else "percentile bootstrap over images"
    seeds = "Several seeds: their mean ± standard deviation. " if several else ""
    return (f"{signature['images']} test images{questions}; interval: {drawn}, n={settings.bootstrap_samples}, "
            f"{100 * settings.confidence:g} %, seed {settings.seed}. {seeds}{first.kind.explained} Trained and share count the decoder's "
            f"parameters; the projector ({' or '.join(f'{size:,}' for size in sizes)} parameters) is counted apart.")


def pairs(comparison: Comparison, names: Sequence[str]) -> list[list[str]]:
    """Give the cells of the pairs' table: the first metric of `names` in numbers, then the word for each; empty without verdicts."""
    found = [comparison.verdicts[name].rows for name in names if name in comparison.verdicts]
    if not found:
        return []
    head = ["method", "against", f"{names[0]} difference (interval)", "p (Holm)", *names]
    return [head, *([row[0].a, row[0].b, difference(row[0]), f"{row[0].p_holm:.3f}", *(one.verdict for one in row)]
                    for row in zip(*found, strict=True))]


def difference(row: Row) -> str:
    """Write a difference with its interval."""
    return f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})"


def in_words(comparison: Comparison, name: str) -> str:
    """Say who is better than whom in one metric, and between whom nothing was shown; empty without verdicts."""
    if name not in comparison.verdicts:
        return ""
    rows = comparison.verdicts[name].rows
    won = [(row.a, row.b) if row.verdict == "better" else (row.b, row.a) for row in rows if row.verdict != "tie"]
    said = []
    for method in comparison.methods:
        below = [worse for better, worse in won if better == method.method]
        if below:
            said.append(f"{method.method} is better than {listed(below)}")
    ties = [f"{row.a} and {row.b}" for row in rows if row.verdict == "tie"]
    if ties:
        said.append(f"no difference was shown between {', '.join(ties)}")
    return f"{name}: {'; '.join(said)}."


def meaning(comparison: Comparison) -> str:
    """Say what the words of the verdicts mean; empty without verdicts."""
    if not comparison.verdicts:
        return ""
    found = next(iter(comparison.verdicts.values()))
    spread = f", with the spread over {found.seeds} seeds," if found.seeds > 1 else ""
    about = "" if found.seeds > 1 else " With one seed this is about these trained models: another training may turn it."
    over = "1 pair" if len(found.rows) == 1 else f"{len(found.rows)} pairs"
    return (f"Better and worse: p ≤ {level(comparison.first.settings):g} in a paired randomisation test over the images{spread} after "
            f"Holm's correction over {over}. Tie: no difference was shown, which is not that there is none: the interval, of the pair "
            f"alone and without the correction, says how large one may be.{about}")


def best_against_controls(methods: list[Method]) -> str:
    """Say how far the best method that trains a part of the decoder is above its blind self, and where it is not above the baseline.

    Empty for a task whose metric is no share of right answers, and where no such method is there.
    """
    baseline, partly = methods[0].kind.baseline, [one for one in methods if 0 < one.result["trained_share"] < 1]
    if baseline is None or not partly:
        return ""
    best = max(partly, key=lambda one: one.main["value"])
    value, blind, metric = best.main["value"], best.blind["value"], best.kind.main
    whole = [one.main["value"] for one in methods if one.result["trained_share"] >= 1 and one.main["value"] > 0]
    against = f", {percent(value / max(whole))} of that of training everything" if whole else ""
    below = [name for name in best.scores if best.scores[name]["value"] <= best.control(baseline)[name]["value"]]
    return (f"Best parameter-efficient method: {best.method}, {metric} {value:.3f}{against}; "
            f"{100 * (value - blind):.1f} points above the same model blind ({blind:.3f}). "
            + (f"Not above the {baseline.label}: {', '.join(below)}." if below
               else f"Every type of answer is above the {baseline.label}."))


def listed(names: list[str]) -> str:
    """Write names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
