"""The answer to the question of the comparison in one sentence: every method against the one that trains
most."""

from __future__ import annotations

from vltune.comparison.compare import Comparison, Method
from vltune.comparison.significance import Row, opposite
from vltune.report.tables import percent
from vltune.report.text import listed, value


def most_trained(methods: list[Method]) -> Method:
    """Give the method that trains the largest share of the decoder: what the others are compared with."""
    return max(methods, key=lambda method: method.result["trained_share"])


def against_most_trained(comparison: Comparison) -> dict[str, tuple[str, Row]]:
    """Give by method its word against the method that trains most, and the row of their pair (which may name
    them in the other order); empty without verdicts."""
    most = most_trained(comparison.methods).method
    main = comparison.first.spec.main
    rows = comparison.verdicts[main].rows if comparison.verdicts else []
    words = {row.a: (row.verdict, row) for row in rows if row.b == most}
    return words | {row.b: (opposite(row.verdict), row) for row in rows if row.a == most}


def answer(comparison: Comparison) -> str:
    """Say which word the comparison has for each method, with the share that it trains."""
    most, main = most_trained(comparison.methods), comparison.first.spec.main
    words = against_most_trained(comparison)
    by_word: dict[str, list[str]] = {}
    for method in comparison.methods:
        if method.method in words:
            share = percent(method.result["trained_share"])
            by_word.setdefault(words[method.method][0], []).append(f"{method.method} ({share})")
    score = f"{main} {value(most.main)}"
    if not by_word:
        return f"{most.method} reaches {score}; there is no other trained method to compare it with."
    verdicts = "; ".join(f"{word} for {listed(names)}" for word, names in by_word.items())
    share = percent(most.result["trained_share"])
    return (f"Compared with {most.method}, which trains {share} of the decoder and reaches {score}, the "
            f"verdict is: {verdicts}.")
