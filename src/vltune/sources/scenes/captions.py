"""Sentences about scenes: short, true of the picture, and in English that people use."""

from __future__ import annotations

import functools
import random

import inflect

from vltune.sources.scenes.compose import Scene, Thing
from vltune.sources.scenes.wordings import MORE, OVERLAPPING

NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
# {a}, {b} and {c}: the first, second and third thing, with articles; {n}: "three keys"; {ground}:
# "a red background"; {place}: "at the top"; {spot}: the same in other words, "near the top". As people do,
# not every sentence says everything.
TEMPLATES = {
    "single": (
        "{a} on {ground}", "there is {a} on {ground}", "{a} in the middle of {ground}",
        "{ground} with {a} in the middle", "a drawing of {a}", "a picture of {a} on {ground}",
    ),
    "placed": (
        "{a} {place} of {ground}", "there is {a} {spot} of {ground}", "{ground} with {a} {place}",
        "a drawing of {a} {spot}", "{place} of {ground} is {a}", "a picture of {a} on {ground}",
    ),
    "count": (
        "{n} on {ground}", "there are {n} on {ground}", "{ground} with {n}", "a drawing of {n} on {ground}",
        "a group of {n} on {ground}", "{n} can be seen on {ground}",
    ),
    "left of": (
        "{a} to the left of {b} on {ground}", "there is {a} to the left of {b}",
        "{b} to the right of {a} on {ground}", "{ground} with {a} to the left of {b}",
        "{a} and {b} side by side on {ground}", "a drawing of {a} next to {b}",
    ),
    "above": (
        "{a} above {b} on {ground}", "there is {a} above {b} on {ground}", "{b} below {a} on {ground}",
        "{ground} with {a} above {b}", "{a} at the top and {b} below it", "a drawing of {a} above {b}",
    ),
    "row": (
        "{a}, {b} and {c} on {ground}", "{b} between {a} and {c} on {ground}",
        "{ground} with {a}, {b} and {c} from left to right", "from left to right {a}, {b} and {c}",
        "{a} to the left of {b} and {c} on {ground}", "{c} to the right of {b} and {a}",
    ),
    "column": (
        "{a}, {b} and {c} on {ground}", "{b} between {a} and {c} on {ground}",
        "{ground} with {a}, {b} and {c} from top to bottom", "from top to bottom {a}, {b} and {c}",
        "{a} above {b} and {c} on {ground}", "{c} below {b} and {a}",
    ),
}
SPOTS = {"on the left": "on the left side", "on the right": "on the right side", "at the top": "near the top",
         "at the bottom": "near the bottom"}
REFERENCES = min(len(templates) for templates in TEMPLATES.values())  # the most that can be asked for


def references(scene: Scene, count: int, rng: random.Random, more: bool = False) -> list[str]:
    """Say `count` different true sentences about a scene, at most REFERENCES; with `more`, of all wordings.

    Where texts may call a thing small or large, about half of them do.
    """
    layout = scene.relation or scene.layout
    templates = TEMPLATES[layout] + (MORE[layout] if more else ()) + (OVERLAPPING if scene.over else ())
    return [template.format(**_words(scene, rng)) for template in rng.sample(templates, count)]


def _words(scene: Scene, rng: random.Random) -> dict[str, str]:
    """Give the words that stand for the names in templates."""
    position = scene.position or ""
    labels = [_label(thing, rng) for thing in scene.things]
    a, *others = [with_article(label + thing.concept.name)
                  for label, thing in zip(labels, scene.things, strict=True)]
    front, back = scene.over[0] if scene.over else (0, 0)
    return {
        "a": a, "b": others[0] if others else a, "c": others[-1] if others else a,
        "front": [a, *others][front], "back": [a, *others][back],
        "ground": with_article(f"{scene.colour} background"),
        "n": f"{NUMBERS[len(scene.things)]} {labels[0]}{scene.things[0].concept.plural}", "place": position,
        "spot": SPOTS.get(position) or position.replace("top", "upper").replace("bottom", "lower"),
    }


def _label(thing: Thing, rng: random.Random) -> str:
    return f"{thing.label} " if thing.label and rng.random() < 0.5 else ""


@functools.cache
def with_article(name: str) -> str:
    """Put a or an in front, by sound."""
    return _english().a(name)


@functools.cache
def _english() -> inflect.engine:
    return inflect.engine()
