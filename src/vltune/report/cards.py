"""The gallery of the page: test images with every method's captions and answers, as many as fit.

The images are chosen by their positions in the list alone, so that nobody can pick the good ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, NamedTuple, TypeVar

from vltune.comparison.per_image import CAPTION
from vltune.comparison.runs import Run
from vltune.metrics.accuracy import accuracy
from vltune.pipeline import paths
from vltune.pipeline.questions import read_answer_predictions
from vltune.pipeline.records import read_predictions

GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples fill an interval evenly, however many there are
T = TypeVar("T")


class Output(NamedTuple):
    """A caption or an answer with its score; `blind` is the answer with another image's features, None where
    there is none."""

    method: str
    text: str
    score: float
    blind: str | None = None


@dataclass(frozen=True)
class Asked:
    """A question about an image, its type and its most frequent right answer."""

    question: str
    question_type: str
    right: str
    outputs: list[Output] = field(default_factory=list)


@dataclass(frozen=True)
class Card:
    """A test image, its position in the list, its reference captions, and what the methods generated."""

    position: int
    file_name: str
    references: list[str] = field(default_factory=list)
    captions: list[Output] = field(default_factory=list)
    questions: dict[Any, Asked] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The score of the image by task and method: of its caption, or the mean over its questions."""
        answers: dict[str, list[float]] = {}
        for asked in self.questions.values():
            for output in asked.outputs:
                answers.setdefault(output.method, []).append(output.score)
        tasks = {"caption": {output.method: output.score for output in self.captions},
                 "vqa": {method: fmean(values) for method, values in answers.items()}}
        return {task: {method: round(value, 3) for method, value in scores.items()}
                for task, scores in tasks.items() if scores}

    @property
    def disagreement(self) -> dict[str, float]:
        """How far the trained methods are apart, by task: the standard deviation of their scores; of
        questions the mean."""
        answers = [_deviation(asked.outputs) for asked in self.questions.values()] or [0.0]
        return {"caption": round(_deviation(self.captions), 3), "vqa": round(fmean(answers), 3)}


def cards(runs: list[Run]) -> list[Card]:
    """Give a card for each test image, in the order of the predictions; of a method with several seeds the
    first one is shown.

    Raises:
        InputError: a predictions file is of the wrong form.
    """
    by_image: dict[Any, Card] = {}
    shown = set()
    for run in runs:
        path, name = paths.predictions(run.method, run.training, run.seed), (run.task, run.method)
        if name not in shown and path.is_file():
            shown.add(name)
            READERS[run.task](run, path, by_image)
    return list(by_image.values())


def spread(rows: Sequence[T]) -> Iterator[T]:
    """Give all rows in an order in which the first n are about evenly spaced, whatever n is.

    Source: the golden ratio's Kronecker sequence; Niederreiter 1992, section 3.2.
    """
    return iter([rows[i] for i in sorted(range(len(rows)), key=lambda i: (i * GOLDEN) % 1)])


def fitting(rows: Sequence[Card], draw: Callable[[Card], str], room: int) -> list[str]:
    """Draw as many cards as have room, in the order of the list.

    Args: draw gives a card's HTML; room, bytes.
    """
    drawn: list[tuple[int, str]] = []
    for card in spread(rows):
        content = draw(card)
        room -= len(content.encode())
        if room < 0:
            break
        drawn.append((card.position, content))
    return [content for _, content in sorted(drawn)]


def _captions(run: Run, path: Path, by_image: dict[Any, Card]) -> None:
    scores = run.result["per_image"]
    known = dict(zip(scores["images"], scores[CAPTION[run.spec.main][0].key], strict=True))
    for row in read_predictions(path):
        card = by_image.setdefault(row.image_id, Card(len(by_image), row.file_name))
        card.references[:] = row.references
        card.captions.append(Output(run.method, row.caption, known.get(row.image_id, 0.0)))


def _answers(run: Run, path: Path, by_image: dict[Any, Card]) -> None:
    for row in read_answer_predictions(path):
        card = by_image.setdefault(row.image_id, Card(len(by_image), row.file_name))
        right = Counter(row.answers).most_common(1)[0][0]
        asked = card.questions.setdefault(row.question_id, Asked(row.question, row.question_type, right))
        if row.answer is not None:
            score = accuracy(row.answer, row.answers)
            asked.outputs.append(Output(run.method, row.answer, score, row.other_image))


def _deviation(outputs: list[Output]) -> float:
    return pstdev([output.score for output in outputs if output.method != paths.START] or [0.0])


READERS = {"caption": _captions, "vqa": _answers}
