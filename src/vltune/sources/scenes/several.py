"""What can be asked about several different things: where they are, which is larger, which is in front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vltune.sources.scenes.compose import Scene
from vltune.sources.scenes.concepts import Concept

# Of a pair (the first thing is RELATION the second): where the first is, seen from the second, and the second
# from the first; the same of neighbours in a line.
DIRECTIONS = {"left of": ("to the left of", "to the right of"), "above": ("above", "below"),
              "row": ("to the left of", "to the right of"), "column": ("above", "below")}
SIDES = {"left of": ("on the left", "on the right"), "above": ("at the top", "at the bottom"),
         "row": ("on the left", "in the middle", "on the right"),
         "column": ("at the top", "in the middle", "at the bottom")}
FURTHER = {"left of": ("further to the left", "further to the right"), "above": ("higher up", "lower down"),
           "row": ("further to the left", "further to the right"), "column": ("higher up", "lower down")}
DEPTH = ("in front of", "behind")
LARGER = {"large": "larger", "small": "smaller"}


@dataclass(frozen=True)
class Candidate:
    """A question that could be asked. Among those of one `group` each answer is to be given equally often."""

    type: str
    group: str
    template: str
    words: dict[str, str]
    answer: str


def ask_several(scene: Scene) -> Iterator[Candidate]:
    """Give what can be asked about a scene of two or three different things and where they are."""
    things = [thing.concept for thing in scene.things]
    for i, concept in enumerate(things):
        side = SIDES[scene.relation][i]
        yield Candidate("position", "", "position", {"name": concept.name}, side.split()[-1])
        for direction, other in _neighbours(scene, i):
            words = {"name": concept.name, "other": other.name, "direction": direction, "side": side}
            yield Candidate("relation", "", "relation", words, concept.name)
            if concept.category is not None:
                yield Candidate("category", "", "kind", words, concept.category)
        for k, further in enumerate(FURTHER[scene.relation]):
            for j, other in enumerate(things):
                if j != i:
                    words = {"name": concept.name, "other": other.name, "further": further,
                             "direction": DIRECTIONS[scene.relation][k]}
                    yield Candidate("comparison", further, "further", words, _yes((i < j) == (k == 0)))
    if len(things) > 2:
        words = {"first": things[0].name, "last": things[-1].name}
        yield Candidate("relation", "", "between", words, things[1].name)
    yield from _sizes(scene)
    yield from _depth(scene)


def _neighbours(scene: Scene, i: int) -> list[tuple[str, Concept]]:
    """Say where a thing is, seen from others than which no further thing is in that direction."""
    things, (before, after) = [thing.concept for thing in scene.things], DIRECTIONS[scene.relation]
    last = len(things) - 1
    return [*([(before, things[1])] if i == 0 else []),
            *([(after, things[-2])] if i == last else [])]


def _sizes(scene: Scene) -> Iterator[Candidate]:
    labels = {thing.label: thing.concept for thing in scene.things}
    if None in labels or len(labels) < 2:
        return
    for size, word in LARGER.items():
        yield Candidate("relation", "", "sized", {"size": word}, labels[size].name)
        for label, concept in labels.items():
            other = labels["small" if label == "large" else "large"]
            words = {"name": concept.name, "other": other.name, "size": word}
            yield Candidate("comparison", word, "size", words, _yes(label == size))


def _depth(scene: Scene) -> Iterator[Candidate]:
    """Give questions about two things of which one hides a part of the other; the answer of the second form
    is the only such thing."""
    things = [thing.concept for thing in scene.things]
    for pair in scene.over or ():
        for k, direction in enumerate(DEPTH):
            there, here = things[pair[k]], things[pair[1 - k]]
            words = {"name": there.name, "other": here.name, "direction": direction}
            yield Candidate("comparison", direction, "depth", words, "yes")
            opposite = {"name": here.name, "other": there.name, "direction": direction}
            yield Candidate("comparison", direction, "depth", opposite, "no")
            if sum(other[1 - k] == pair[1 - k] for other in scene.over or ()) == 1:
                yield Candidate("relation", "", "relation", words, there.name)


def _yes(true: bool) -> str:
    return "yes" if true else "no"
