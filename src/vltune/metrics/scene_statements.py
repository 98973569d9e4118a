"""What a text says about a drawn image, by the grammar of the captions: things, numbers, colours, places."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vltune.metrics.accuracy import NUMBERS
from vltune.metrics.scene_records import DEPTH, SIDE_WORDS, Vocabulary, sides

RELATIONS = {"above": "top", "over": "top", "higher": "top", "below": "bottom", "under": "bottom",
             "beneath": "bottom", "underneath": "bottom", "front": "front", "covers": "front",
             "behind": "back", "hidden": "back"}
SIZES = {"small": "small", "little": "small", "tiny": "small", "large": "large", "big": "large",
         "huge": "large"}
ORDERS = {("from", "left", "to", "right"): "left", ("from", "top", "to", "bottom"): "top"}
ONE = ("a", "an", "another")
SPELLINGS = {"gray": "grey"}
# Between a number and its noun stand adjectives at most; a word of these begins another part of the sentence.
ENDS = frozenset("of on in at with is are and to by the there can be seen it".split())
ADJECTIVES = 2
DIGITS = 10  # a model that repeats itself writes longer ones, which count nothing
# none of the things that are drawn
CARRIERS = frozenset("background drawing picture image photo group pair side corner thing things".split())


@dataclass(frozen=True)
class Mention:
    """A thing that is named: how many of it (None if that is not said), whether they are several, and
    whether they are small or large (None if that is not said)."""

    name: str
    number: int | None
    several: bool
    size: str | None = None


@dataclass
class Statements:
    """The statements of a text: things; colours of the background; a thing at sides of the picture; a thing
    at a side of another; a thing between two; two things side by side. `unknown` are nouns that no caption
    of the data has."""

    things: list[Mention] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)
    spots: list[tuple[Mention, frozenset[str]]] = field(default_factory=list)
    relations: list[tuple[Mention, str, Mention]] = field(default_factory=list)
    between: list[tuple[Mention, Mention, Mention]] = field(default_factory=list)
    beside: list[tuple[Mention, Mention]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sides:
    """Sides that a text names; `of` says whether "of" follows, `relative` whether the word needs a second
    thing."""

    sides: frozenset[str]
    of: bool
    relative: bool = False


class Ground(str):
    """The colour of a background; empty if it is not said."""


class Order(str):
    """The side at which a list of things begins."""


IT, BESIDE, BETWEEN = "it", "beside", "between"
Event = Mention | Sides | str


def words(text: str, vocabulary: Vocabulary) -> list[str]:
    """Split a text into words in lower case and numbers; punctuation goes. A name of two words is one."""
    single = [SPELLINGS.get(word, word) for word in re.findall(r"[a-z]+|\d+", text.lower())]
    joined: list[str] = []
    for word in single:
        pair = f"{joined[-1]} {word}" if joined else ""
        if pair in vocabulary.names:
            joined[-1] = pair
        else:
            joined.append(word)
    return joined


def number(word: str) -> int | None:
    """Read a number from zero to ten, or of a few digits."""
    digits = NUMBERS.get(word, word)
    return int(digits) if digits.isdecimal() and len(digits) < DIGITS else None


def parse(text: str, vocabulary: Vocabulary) -> Statements:
    """Take a text apart. A word that the vocabulary lacks states nothing, and neither does its number."""
    tokens = words(text, vocabulary)
    events = list(_events(tokens, vocabulary))
    parsed = Statements(
        [event for event in events if isinstance(event, Mention)],
        [str(event) for event in events if isinstance(event, Ground) and event],
        unknown=list(_unknown(tokens, vocabulary)),
    )
    for i, event in enumerate(events):
        if isinstance(event, Sides):
            _side(events, i, event, parsed)
        elif isinstance(event, Order):
            listed = _mentions(events[i:])
            listed = listed if len(listed) > 1 else _mentions(events[:i])
            parsed.relations += [(a, str(event), b) for a, b in itertools.pairwise(listed)]
        elif event == BETWEEN and not isinstance(event, Ground):
            before, after = _mentions(events[:i]), _mentions(events[i:])
            middle = before[-1:] or after[2:3]
            if middle and len(after) > 1:
                parsed.between.append((middle[0], after[0], after[1]))
        elif event == BESIDE and not isinstance(event, Ground):
            before = _mentions(events[:i])
            if len(before) > 1:
                parsed.beside.append((before[-2], before[-1]))
    return parsed


def _events(tokens: list[str], vocabulary: Vocabulary) -> Iterator[Event]:
    i = 0
    while i < len(tokens):
        word, length = tokens[i], 1
        if word in vocabulary.names:
            yield _mention(tokens, i, vocabulary)
        elif word == "background":
            near = [token for token in tokens[max(0, i - ADJECTIVES):i] if token in vocabulary.colours]
            yield Ground(near[-1] if near else "")
        elif tuple(tokens[i:i + 4]) in ORDERS:
            yield Order(ORDERS[tuple(tokens[i:i + 4])])
            length = 4
        elif word in SIDE_WORDS:
            while i + length < len(tokens) and tokens[i + length] in SIDE_WORDS:
                length += 1
            after = [token for token in tokens[i + length:i + length + 2] if token not in ("side", "corner")]
            yield Sides(sides(tokens[i:i + length]), after[:1] == ["of"])
        elif word in RELATIONS:
            yield Sides(frozenset([RELATIONS[word]]), of=True, relative=True)
        elif tokens[i:i + 3] == ["side", "by", "side"]:
            yield BESIDE
            length = 3
        elif word in (IT, BETWEEN):
            yield word
        i += length


def _unknown(tokens: list[str], vocabulary: Vocabulary) -> Iterator[str]:
    """Give what stands behind an article or a number, up to the next part of the sentence, where none of it
    is a word of the captions: "plum" of "a plum on a red background"."""
    for i, word in enumerate(tokens):
        if word in (*ONE, "the") or number(word) is not None:
            rest = tokens[i + 1:]
            length = next((k for k, end in enumerate(rest) if end in ENDS or end in ONE), len(rest))
            phrase = [noun for noun in rest[:length] if noun not in vocabulary.colours]
            if phrase and not any(noun in vocabulary.names or noun in SIDE_WORDS or noun in CARRIERS
                                  for noun in phrase):
                yield " ".join(phrase)


def _mention(tokens: list[str], at: int, vocabulary: Vocabulary) -> Mention:
    name, plural = vocabulary.names[tokens[at]]
    size = None
    for word in reversed(tokens[max(0, at - ADJECTIVES - 1):at]):
        size = size or SIZES.get(word)
        if word in ONE:
            return Mention(name, 1, False, size)
        if word == "no" or number(word) is not None:
            return Mention(name, number(word) or 0, False, size)
        if word in ENDS or word in vocabulary.names or word in SIDE_WORDS:
            break
    return Mention(name, None, plural is True, size)


def _mentions(events: list[Event]) -> list[Mention]:
    return [event for event in events if isinstance(event, Mention)]


def _side(events: list[Event], i: int, event: Sides, parsed: Statements) -> None:
    """Add what sides say: of a thing and another if one follows, else of a thing in the picture."""
    before, after = _mentions(events[:i]), _mentions(events[i + 1:])
    noun = next((x for x in events[i + 1:] if isinstance(x, Mention | Ground) or x == IT), None)
    (side, *others) = event.sides
    if event.of and (isinstance(noun, Mention) or noun == IT) and not others and side != "middle":
        if isinstance(noun, Mention):  # "to the left of a dog is a cat": what is there comes last
            subject, other = (before[-1], noun) if before else (after[1] if after[1:] else None, noun)
        else:
            subject, other = (before[-1], before[-2]) if before[1:] else (None, None)
        if subject and other:
            parsed.relations.append((subject, side, other))
    elif not event.relative:
        first = next(x for x in events if isinstance(x, Sides) and not x.sides & set(DEPTH))
        ahead = not _mentions(events[:events.index(first)])  # "at the top of a red background is a dog"
        subject = (after if ahead and after else before)
        if subject:
            parsed.spots.append((subject[0] if subject is after else subject[-1], event.sides))
