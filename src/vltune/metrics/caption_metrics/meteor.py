"""METEOR 1.5 by its own program, with each segment's
statistics, from which any set of segments can be scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pycocoevalcap.meteor import meteor

from vltune.metrics import java
from vltune.pipeline.errors import InputError

# English, as tuned by METEOR 1.5; the weights are of exact, stem, synonym and paraphrase matches.
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
COLUMNS, CHUNKS = 23, 20
VALUES = ("METEOR",)
LISTED = VALUES
POSITION = 2


def statistics(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    """Give the statistics of each image that can be summed: [images, 23].

    Raises:
        InputError: Java does not work, or the program answered something else than numbers.
    """
    return score(hypotheses, references)[2]


def score(hypotheses: list[str], references: list[list[str]]) -> tuple[float, np.ndarray, np.ndarray]:
    """Give METEOR of all segments together, of each segment,
    and the statistics [segments, 23] that can be added up.

    The exchange with the program is pycocoevalcap's, so are the numbers.

    Raises:
        InputError: Java does not work, or the program answered something else than numbers.

    Source: Denkowski and Lavie 2014, Meteor Universal: language specific translation evaluation, section 2.
    """
    jar = Path(meteor.__file__).with_name(meteor.METEOR_JAR)
    rows: list[str] = []
    with java.conversation(["-jar", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"], jar.parent,
                           timeout_s=300 + len(hypotheses) / 2) as program:
        for hypothesis, others in zip(hypotheses, references, strict=True):
            program.say(" ||| ".join(["SCORE", *(_clean(text) for text in [*others, hypothesis])]))
            rows.append(program.hear())
        program.say(" ||| ".join(["EVAL", *rows]))
        scores = [_numbers(program.hear(), 1)[0] for _ in rows]
        total = _numbers(program.hear(), 1)[0]
    return total, np.array(scores), summable(np.array([_numbers(row, COLUMNS) for row in rows]))


def summable(statistics: np.ndarray) -> np.ndarray:
    """Set the chunks of perfect segments to 0, as METEOR does before it sums segments [segments, 23].

    A segment is perfect if it matches a whole reference in one chunk. The program does so without documenting
    it; a test compares the score of the sums with the program's.
    """
    x = np.array(statistics, dtype=float)
    perfect = (_matches(x).sum((-3, -2)) == x[..., 0:2]).all(-1) & (x[..., CHUNKS] == 1)
    x[perfect, CHUNKS] = 0
    return x


def value(sums: np.ndarray) -> np.ndarray:
    """Score sums of `summable` statistics [..., 23] as METEOR scores a corpus: [..., 1].

    Columns: lengths of hypothesis and reference, function words in each; for each type of match (4) content
    words matched in each and function words matched in each; chunks; words matched in each.

    Source: Denkowski and Lavie 2014, section 2, equations of P, R, F_mean, Pen and Score.
    """
    x = np.asarray(sums, dtype=float)
    length, function = x[..., 0:2], x[..., 2:4]
    weighted = np.einsum("...kcs,k,c->...s", _matches(x), WEIGHTS, np.array([DELTA, 1 - DELTA]))
    weighted_length = DELTA * (length - function) + (1 - DELTA) * function
    with np.errstate(divide="ignore", invalid="ignore"):  # no words or no match: the score is 0
        precision, recall = np.moveaxis(weighted / weighted_length, -1, 0)
        mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
        fragmentation = x[..., CHUNKS] / (x[..., CHUNKS + 1:].sum(-1) / 2)
        scores = mean * (1 - GAMMA * fragmentation ** BETA)
    return np.where(np.isfinite(scores), np.maximum(scores, 0), 0)[..., None]


def _matches(statistics: np.ndarray) -> np.ndarray:
    x = statistics[..., 4:20]
    return x.reshape(
        *x.shape[:-1], 4, 2, 2
    )  # type of match, content or function words, hypothesis or reference


def _clean(text: str) -> str:
    return " ".join(text.replace("|||", " ").split())  # the separator of the exchange


def _numbers(line: str, count: int) -> list[float]:
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise InputError(f"METEOR answered {line[:200]!r} where {count} numbers were expected")
    return numbers
