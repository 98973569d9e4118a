"""What the words of the verdicts mean, which of them were declared, and what they are about."""

from __future__ import annotations

from vltune.comparison import significance
from vltune.comparison.claims import DECLARED, EXPLORATORY, INTERIM
from vltune.comparison.compare import Comparison
from vltune.comparison.estimates import FEWEST_SEEDS
from vltune.comparison.per_image import Verdicts


def meaning(comparison: Comparison) -> str:
    """Explain the words of the verdicts; empty without verdicts."""
    if not comparison.verdicts:
        return ""
    verdicts = next(iter(comparison.verdicts.values()))
    confidence = 100 * comparison.first.settings.confidence
    margin = ""
    if verdicts.margin:
        margin = f"Equivalent: it lies within ± {verdicts.margin:g}, the margin declared in params.yaml. "
    return (
        f"The intervals of differences are {confidence:g} % intervals for their family together. "
        f"{family(comparison)} Better and worse: the interval excludes 0. {margin}Undecided: the data do not "
        f"tell; this does not prove equality. {scope(verdicts)}"
    )


def family(comparison: Comparison) -> str:
    """Say which verdicts were declared before the results, and which are exploratory."""
    claims = comparison.claims
    declared = [name for name, verdicts in comparison.verdicts.items()
                if any(row.declared for row in verdicts.rows)]
    rest = "all pairs of a metric are a family (Tukey)"
    if not declared:
        return f"No claims were declared for this task; {rest}. All verdicts are exploratory."
    seeds = comparison.verdicts[declared[0]].seeds
    number = f"{claims.seeds} seed{'s' * (claims.seeds != 1)}" if claims.seeds else "no number of seeds"
    stages = {
        DECLARED: "",
        INTERIM: f" With {seeds} so far, this is an interim look.",
        EXPLORATORY: f" With {seeds} here, the table is exploratory: looking again after each further seed "
                     "makes false words more frequent than the intervals promise.",
    }
    return (
        f"Declared in params.yaml (claims {claims.hash}): {declared[0]}, "
        f"{', '.join(claims.pairs) or 'all pairs'}, {number}; corrected over tasks and metrics together."
        f"{stages[claims.stage(seeds)]} Everything else is exploratory: {rest}."
    )


def scope(verdicts: Verdicts) -> str:
    """Say what the words are about: methods, or the runs that were compared."""
    if verdicts.about == significance.METHODS:
        return f"The words are about the methods: the spread over {verdicts.seeds} seeds is in the intervals."
    runs = "the two runs of a pair" if verdicts.seeds == 1 else f"the {verdicts.seeds} runs of each method"
    return (f"The words are about {runs}, not about the methods: another seed may reverse them. Words about "
            f"methods need {FEWEST_SEEDS} seeds or more.")
