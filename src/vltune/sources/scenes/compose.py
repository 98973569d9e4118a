"""What is in each scene: things, numbers, places and colours,
and which combinations only the test split may show."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from vltune.pipeline.randomness import derive
from vltune.sources.scenes.concepts import Concept

# Light enough that the drawings' black outlines stay visible.
COLOURS = {
    "white": (255, 255, 255), "grey": (168, 168, 168), "red": (232, 92, 88), "orange": (245, 163, 66),
    "yellow": (250, 224, 100), "green": (112, 190, 110), "blue": (104, 150, 232), "purple": (172, 120, 212),
    "pink": (248, 178, 206),
}
# Where the centre of a single thing is, as shares of the image's sides.
PLACES = {
    "in the top left corner": (0.26, 0.26), "in the top right corner": (0.74, 0.26),
    "in the bottom left corner": (0.26, 0.74), "in the bottom right corner": (0.74, 0.74),
    "on the left": (0.25, 0.5), "on the right": (0.75, 0.5), "at the top": (0.5, 0.25),
    "at the bottom": (0.5, 0.75),
}
RELATIONS = {"left of": ((0.25, 0.5), (0.75, 0.5)), "above": ((0.5, 0.25), (0.5, 0.75))}
LINES = {"row": ((0.17, 0.5), (0.5, 0.5), (0.83, 0.5)), "column": ((0.5, 0.17), (0.5, 0.5), (0.5, 0.83))}
# Several of the same: one of these arrangements.
ARRANGEMENTS = {
    2: (
        ((0.25, 0.5), (0.75, 0.5)), ((0.5, 0.25), (0.5, 0.75)), ((0.26, 0.26), (0.74, 0.74)),
        ((0.74, 0.26), (0.26, 0.74)),
    ),
    3: (((0.25, 0.26), (0.75, 0.26), (0.5, 0.74)), ((0.5, 0.26), (0.25, 0.74), (0.75, 0.74))),
    4: (((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)),),
}
KINDS = {  # share of the scenes, by the most different things in them
    2: {"single": 0.25, "placed": 0.2, "count": 0.25, "pair": 0.3},
    3: {"single": 0.2, "placed": 0.16, "count": 0.2, "pair": 0.24, "triple": 0.2},
}
SEVERAL = ("count", "pair", "triple")  # held out by more than the colour of the background
# longer side, as a share
SIZES = {"single": (0.5, 0.62), "placed": (0.4, 0.47), "count": (0.4, 0.46), "pair": (0.42, 0.47),
         "triple": (0.25, 0.28)}
# of each centre, either way
DRIFT = {"single": 0.08, "placed": 0.02, "count": 0.02, "pair": 0.02, "triple": 0.02}


@dataclass(frozen=True)
class Thing:
    """A drawing in a scene: its centre and the length of its longer side, in shares of the image's side.

    `angle` is its rotation in degrees and `hidden` the share of it that others hide, None where the data set
    has no such thing; `label` is small or large where texts may say so.
    """

    concept: Concept
    x: float
    y: float
    size: float
    angle: int | None = None
    label: str | None = None
    hidden: float | None = None


@dataclass(frozen=True)
class Scene:
    """A scene: `position` belongs to layout placed, `relation` to layout pair (the first thing is RELATION
    the second) and to layout triple (the things are in a row, from the left, or in a column, from the top).

    Things overlap if `spread`, by which their distances from the middle are multiplied, is below 1. `over`
    lists which thing hides a part of which, by their numbers. Things have labels if the scene is `sized`.
    """

    layout: str
    colour: str
    things: tuple[Thing, ...]
    position: str | None = None
    relation: str | None = None
    sized: bool = False
    spread: float = 1.0
    over: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class HeldOut:
    """The combinations that no training or validation image shows, and that every test image shows one of.

    For each concept two background colours and one number; of all pairs of concepts one in ten. Which ones
    follows from hashes of the names and the seed.
    """

    colours: dict[str, tuple[str, ...]]
    numbers: dict[str, int]
    pairs: frozenset[frozenset[str]]


def hold_out(concepts: list[Concept], seed: int) -> HeldOut:
    """Decide which combinations only the test split shows."""
    def ranked(purpose: str, values: list) -> list:
        return sorted(values, key=lambda value: derive(seed, f"held out: {purpose} {value}"))

    names = sorted(concept.name for concept in concepts)
    pairs = ranked("pair", list(itertools.combinations(names, 2)))
    return HeldOut(
        {name: tuple(ranked(name, list(COLOURS))[:2]) for name in names},
        {name: ranked(name, list(ARRANGEMENTS))[0] for name in names},
        frozenset(frozenset(pair) for pair in pairs[:-(-len(pairs) // 10)]),
    )


def scenes(
    concepts: list[Concept], held_out: HeldOut, test: bool, rng: random.Random, most: int = 2
) -> Iterator[Scene]:
    """Give scenes without end, every concept as often as every other in the first place of a scene.

    Args:
        concepts: what is shown.
        held_out: the combinations that no training image shows.
        test: whether each scene shows one of them; otherwise none does.
        rng: decides everything.
        most: how many different things a scene shows at most, 2 or 3.
    """
    layouts, shares = list(KINDS[most]), list(KINDS[most].values())
    while True:
        deck = list(concepts)
        rng.shuffle(deck)
        for concept in deck:
            layout = rng.choices(layouts, shares)[0]
            scene = _scene(layout, concept, concepts, held_out, test, rng)
            if scene is not None:
                yield scene


def _scene(
    layout: str, concept: Concept, concepts: list[Concept], held_out: HeldOut, test: bool, rng: random.Random
) -> Scene | None:
    """Make one scene, or none where this concept has no partner that the split may show it with."""
    things, position, relation = [concept], None, None
    spots: tuple[tuple[float, float], ...] = ((0.5, 0.5),)
    if layout == "placed":
        position = rng.choice(list(PLACES))
        spots = (PLACES[position],)
    elif layout == "count":
        number = rng.choice([n for n in ARRANGEMENTS if (n == held_out.numbers[concept.name]) == test])
        spots = rng.choice(ARRANGEMENTS[number])
        things = [concept] * number
    elif layout in ("pair", "triple"):
        relations = RELATIONS if layout == "pair" else LINES
        for _ in range(1 if layout == "pair" else 2):
            partners = _partners(things, concepts, held_out, test)
            if not partners:
                return None
            things.append(rng.choice(partners))
        rng.shuffle(things)
        relation = rng.choice(list(relations))
        spots = relations[relation]
    colours = _colours(layout, things, held_out, test)
    size = rng.uniform(*SIZES[layout])
    placed = tuple(
        Thing(thing, x + rng.uniform(-1, 1) * DRIFT[layout], y + rng.uniform(-1, 1) * DRIFT[layout], size)
        for thing, (x, y) in zip(things, spots, strict=True)
    )
    return Scene(layout, rng.choice(colours), placed, position, relation)


def _partners(
    things: list[Concept], concepts: list[Concept], held_out: HeldOut, test: bool
) -> list[Concept]:
    """List what may be shown with the things of a scene: of a test scene, a second that makes a pair that is
    held out, and then any third; of another, what makes no such pair with any of them."""
    others = [concept for concept in concepts if concept not in things]
    if test and len(things) > 1:
        return others
    return [concept for concept in others
            if any({concept.name, thing.name} in held_out.pairs for thing in things) == test]


def _colours(layout: str, things: list[Concept], held_out: HeldOut, test: bool) -> list[str]:
    held = {colour for thing in things for colour in held_out.colours[thing.name]}
    if not test:
        return [colour for colour in COLOURS if colour not in held]
    # those hold out something else
    return [colour for colour in COLOURS if colour in held or layout in SEVERAL]
