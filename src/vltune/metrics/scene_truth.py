"""Is a caption of a drawn image true? Each of its statements against the image's record."""

from __future__ import annotations

from dataclasses import dataclass

from vltune.metrics.scene_records import DEPTH, Record, Vocabulary
from vltune.metrics.scene_statements import Mention, Statements, parse

ASPECTS = ("thing", "number", "colour", "place")


@dataclass(frozen=True)
class Judged:
    """A caption's statements, each right or wrong, by what they are about (an aspect, or the size); whether
    it is true: it names a thing, nothing that it says is wrong, and it names nothing unknown; whether it is
    complete: true, and of the aspects nothing is left to say."""

    statements: dict[str, list[bool]]
    true: bool
    complete: bool


def judge(caption: str, record: Record, vocabulary: Vocabulary) -> Judged:
    """Compare what a caption says with the record of its image."""
    parsed = parse(caption, vocabulary)
    names = list(dict.fromkeys(mention.name for mention in parsed.things))
    statements = {
        "thing": [name in record.things for name in names],
        "number": [right for name in names for right in _numbers(name, parsed.things, record)],
        "colour": [colour == record.colour for colour in parsed.colours],
        "place": _places(parsed, record),
        "size": _sizes(parsed.things, record),
    }
    wrong = any(not right for aspect in statements.values() for right in aspect)
    true = bool(names) and not parsed.unknown and not wrong
    return Judged(statements, true, true and _complete(parsed, record))


def _numbers(name: str, mentions: list[Mention], record: Record) -> list[bool]:
    """Judge how many there are of a thing: the sum of what each mention says. If it is another thing than
    those in the image, its number is right if one of these has it."""
    counts = [record.things[name]] if name in record.things else list(record.things.values())
    own = [mention for mention in mentions if mention.name == name]
    numbers = [mention.number for mention in own if mention.number is not None]
    exact = [sum(numbers) in counts] if numbers else []
    return exact + [max(counts) > 1 for mention in own if mention.several]


def _places(parsed: Statements, record: Record) -> list[bool]:
    spots = [_at(mention.name, sides, record) for mention, sides in parsed.spots]
    relations = [_related(first, side, second, record) for first, side, second in parsed.relations]
    between = [first.name in record.between(second.name, third.name)
               for first, second, third in parsed.between if first.name in record.things]
    beside = [bool(record.at("left")) for first, second in parsed.beside
              if record.pair and first.name != second.name]
    return [right for right in (*spots, *relations, *between, *beside) if right is not None]


def _at(name: str, sides: frozenset[str], record: Record) -> bool:
    """Say whether a thing is at all of these sides; a name that is wrong is right about the place if the
    image's thing, or one of its two, is there."""
    there = [record.sides[name]] if name in record.sides else list(record.sides.values())
    return any(sides <= own for own in there)


def _related(first: Mention, side: str, second: Mention, record: Record) -> bool | None:
    """Say whether the first thing is at a side of the second; None where the record cannot tell: of two of
    a kind, if it knows neither of the two, or of what is in front if it knows nothing of that. A name that
    is wrong is right about the place if another thing of the image is there."""
    names = (first.name, second.name)
    if first.name == second.name or not set(names) & set(record.things):
        return None
    if side in DEPTH and record.over is None:
        return None
    if not record.pair:
        return False
    firsts, seconds = ([name] if name in record.things else list(record.things) for name in names)
    return any(record.related(a, side, b) for a in firsts for b in seconds if a != b)


def _sizes(mentions: list[Mention], record: Record) -> list[bool]:
    """Judge sizes, where texts of the data set name them; a name that is wrong is right about the size if a
    thing of the image has it."""
    sizes = record.sizes or {}
    return [mention.size in ([sizes[mention.name]] if mention.name in sizes else sizes.values())
            for mention in mentions if mention.size and sizes]


def _complete(parsed: Statements, record: Record) -> bool:
    """Say whether a true caption names each thing with its number, the colour, and the place if there is
    more to say of it than the middle: all sides of one thing, where one of two is, or where two of three
    are."""
    numbered = {mention.name for mention in parsed.things if mention.number is not None}
    if numbered != set(record.things) or not parsed.colours:
        return False
    if not record.placed:
        return True
    whole = [sides == record.sides[mention.name] for mention, sides in parsed.spots]
    whole += [True for _, side, _ in parsed.relations if side not in DEPTH]
    return sum(whole) >= max(1, len(record.things) - 1)
