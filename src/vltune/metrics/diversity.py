"""How varied captions are: a model that says the same of every image can still score well."""

from __future__ import annotations

from vltune.pipeline.errors import InputError

DIGITS = 10


def measure(hypotheses: list[str], known: set[str]) -> dict[str, float | int]:
    """Measure tokenised captions; `known` are the tokenised references of the training split.

    distinct-n is the share of different n-grams in all n-grams of all
    captions; unique_share the share of different captions, novel_share that of
    captions which hold a word and are not `known`; mean_length counts words.

    Raises:
        InputError: there is no caption.

    Source: Li et al. 2016, A diversity-promoting objective
    function for neural conversation models, section 5.2.
    """
    if not hypotheses:
        raise InputError("expected at least one caption to measure the diversity of, found none")
    words = [hypothesis.split() for hypothesis in hypotheses]
    novel = sum(bool(hypothesis) and hypothesis not in known for hypothesis in hypotheses)
    return {
        "distinct-1": _distinct(words, 1), "distinct-2": _distinct(words, 2),
        "vocabulary": len({word for caption in words for word in caption}),
        "unique_share": round(len(set(hypotheses)) / len(hypotheses), DIGITS),
        "novel_share": round(novel / len(hypotheses), DIGITS),
        "mean_length": round(sum(len(caption) for caption in words) / len(words), DIGITS),
    }


def _distinct(captions: list[list[str]], n: int) -> float:
    grams = [tuple(words[i:i + n]) for words in captions for i in range(len(words) - n + 1)]
    return round(len(set(grams)) / len(grams), DIGITS) if grams else 0.0
