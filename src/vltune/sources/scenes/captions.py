"""Sentences about scenes: short, true of the picture, and in English that people use."""

from __future__ import annotations

import functools
import random

import inflect

from vltune.sources.scenes.compose import Scene

NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
# {a} and {b}: the first and the second thing, with articles; {n}: "three keys"; {ground}: "a red background";
# {place}: "at the top"; {spot}: the same in other words, "near the top". As people do, not every sentence
# says everything.
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
}
SPOTS = {"on the left": "on the left side", "on the right": "on the right side", "at the top": "near the top",
         "at the bottom": "near the bottom"}
REFERENCES = min(len(templates) for templates in TEMPLATES.values())  # the most that can be asked for


def references(scene: Scene, count: int, rng: random.Random) -> list[str]:
    """Say `count` different true sentences about a scene, at most REFERENCES."""
    first = scene.things[0].concept
    position = scene.position or ""
    words = {
        "a": with_article(first.name), "b": with_article(scene.things[-1].concept.name),
        "ground": with_article(f"{scene.colour} background"),
        "n": f"{NUMBERS[len(scene.things)]} {first.plural}", "place": position,
        "spot": SPOTS.get(position) or position.replace("top", "upper").replace("bottom", "lower"),
    }
    return [
        template.format(**words) for template in rng.sample(TEMPLATES[scene.relation or scene.layout], count)
    ]


@functools.cache
def with_article(name: str) -> str:
    """Put a or an in front, by sound."""
    return _english().a(name)


@functools.cache
def _english() -> inflect.engine:
    return inflect.engine()
