"""Is an answer about a drawn image true? By the question and the image's record, not by reference answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vltune.metrics.scene_records import Record, Vocabulary, sides
from vltune.metrics.scene_statements import BETWEEN, RELATIONS, Mention, number, parse, words

SIZES = {"larger": "large", "bigger": "large", "smaller": "small"}


@dataclass(frozen=True)
class Asked:
    """A question and an answer about an image, both as words, and the things that each of them names."""

    record: Record
    vocabulary: Vocabulary
    question: list[str]
    answer: list[str]
    things: list[Mention]
    answered: list[Mention]

    @property
    def thing(self) -> str:
        """The first thing that is asked about; empty if the question names none that the data set knows."""
        return self.things[0].name if self.things else ""

    @property
    def count(self) -> int:
        """How many there are of the thing that is asked about; of all things if it is about "things"."""
        if "things" in self.question:
            return sum(self.record.things.values())
        return self.record.things.get(self.thing, 0)

    @property
    def side(self) -> str | None:
        """The side that the question is about."""
        named = {RELATIONS.get(word) for word in self.question} | sides(self.question)
        return next(iter(named - {None}), None)

    @property
    def size(self) -> str | None:
        """The size that the question is about."""
        return next((SIZES[word] for word in self.question if word in SIZES), None)

    @property
    def meant(self) -> list[str]:
        """The things of the size, between the two things, at the side of the thing or of the picture that
        the question names; all of them if it names none."""
        names = [thing.name for thing in self.things]
        if self.size:
            return [name for name, size in (self.record.sizes or {}).items() if size == self.size]
        if BETWEEN in self.question and len(names) > 1:
            return self.record.between(names[0], names[1])
        if self.side and self.thing in self.record.things:
            return [name for name in self.record.things
                    if name != self.thing and self.record.related(name, self.side, self.thing)]
        return self.record.at(self.side) if self.side else list(self.record.things)

    def says(self, yes: bool) -> bool:
        """Whether the answer is yes, or no, and not both."""
        return {"yes", "no"} & set(self.answer) == {"yes" if yes else "no"}


def _comparison(asked: Asked) -> bool:
    if "than" in asked.question and {"more", "fewer"} & set(asked.question):
        limit = number(asked.question[asked.question.index("than") + 1])
        return asked.says(asked.count > limit if "more" in asked.question else asked.count < limit)
    if asked.size:
        return asked.says((asked.record.sizes or {}).get(asked.thing) == asked.size)
    names = [thing.name for thing in asked.things]
    known = len(names) > 1 and set(names) <= set(asked.record.things)
    return asked.says(known and asked.record.related(names[0], asked.side or "", names[1]))


def _counted(asked: Asked) -> bool:
    numbers = {0 if word == "no" else number(word) for word in asked.answer} - {None}
    return numbers == {asked.count}


def _category(asked: Asked) -> bool:
    text = f" {' '.join(asked.answer)} "
    named = {name for name in asked.vocabulary.categories if f" {name} " in text}
    return named == {asked.record.categories[name] for name in asked.meant}


JUDGES: dict[str, Callable[[Asked], bool]] = {
    "existence": lambda asked: asked.says(asked.count > 0),
    "count": _counted,
    "comparison": _comparison,
    "colour": lambda asked: asked.vocabulary.colours & set(asked.answer) == {asked.record.colour},
    "position": lambda asked: sides(asked.answer) == asked.record.sides.get(asked.thing),
    "relation": lambda asked: {thing.name for thing in asked.answered} == set(asked.meant),
    "category": _category,
}


def true(question_type: str, question: str, answer: str, record: Record, vocabulary: Vocabulary) -> bool:
    """Say whether an answer says what was asked, and nothing that is false: no other thing than those in
    the image, no second number, colour, side or word of yes and no.

    `question_type` is a key of JUDGES.
    """
    things, answered = (parse(text, vocabulary).things for text in (question, answer))
    asked = Asked(
        record, vocabulary, words(question, vocabulary), words(answer, vocabulary), things, answered)
    absent = [thing for thing in answered if thing.name not in record.things and thing.number != 0]
    return not absent and JUDGES[question_type](asked)
