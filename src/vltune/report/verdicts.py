"""What a table says, in words: how its numbers were made, and what they decide."""

from __future__ import annotations

from collections.abc import Sequence

from vltune.metrics.paired import Row
from vltune.metrics.per_image import level
from vltune.report.comparing import Comparison, Method
from vltune.report.tables import percent


def note(comparison: Comparison) -> str:
    """Say what the numbers of one task mean: images, seeds, interval, controls, connector."""
    first, settings = comparison.first, comparison.first.settings
    signature = first.result["signature"]
    sizes = sorted({method.result["connector_parameters"] for method in comparison.methods})
    questions = f" with {signature['questions']:,} questions" if "questions" in signature else ""
    several = any(method.seeds > 1 for method in comparison.methods)
    drawn = "hierarchical bootstrap over images and seeds" if several else "percentile bootstrap over images"
    seeds = "Several seeds: their mean ± standard deviation. " if several else ""
    return (f"{signature['images']} test images{questions}; interval: {drawn}, n={settings.bootstrap_samples}, "
            f"{100 * settings.confidence:g} %, seed {settings.seed}. {seeds}{first.kind.explained} Trained and share count the decoder's "
            f"parameters; the connector ({' or '.join(f'{size:,}' for size in sizes)} parameters) is counted apart.")


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
    """Say how far the best method that trains a part of the decoder is above its blind self, and where it is not above the floor.

    Empty for a task whose metric is no share of right answers, and where no such method is there.
    """
    floor, partly = methods[0].kind.floor, [one for one in methods if 0 < one.result["trained_share"] < 1]
    if floor is None or not partly:
        return ""
    best = max(partly, key=lambda one: one.main["value"])
    value, blind, metric = best.main["value"], best.blind["value"], best.kind.main
    whole = [one.main["value"] for one in methods if one.result["trained_share"] >= 1 and one.main["value"] > 0]
    against = f", {percent(value / max(whole))} of that of training everything" if whole else ""
    below = [name for name in best.scores if best.scores[name]["value"] <= best.control(floor)[name]["value"]]
    return (f"Best parameter-efficient method: {best.method}, {metric} {value:.3f}{against}; "
            f"{100 * (value - blind):.1f} points above the same model blind ({blind:.3f}). "
            + (f"Not above the {floor.label}: {', '.join(below)}." if below
               else f"Every type of answer is above the {floor.label}."))


def listed(names: list[str]) -> str:
    """Write names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
