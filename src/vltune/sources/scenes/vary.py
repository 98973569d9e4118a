"""What makes scenes harder: rotation, small and large things, and things that overlap.

A scene is varied after it was composed, by a generator of its own, so that what it shows stays the same.
"""

from __future__ import annotations

import random
from dataclasses import replace

from vltune.sources.scenes.compose import SIZES, Scene, Thing

SMALL = (0.22, 0.28)  # longer side of a thing that texts may call small, as a share of the image's side
LARGE = {"single": (0.58, 0.68), "pair": (0.46, 0.54)}  # the same for large
MEDIUM = (0.36, 0.46)  # neither
LINE = (0.3, 0.35)  # three things in a line that may overlap are larger than those that may not
# How much nearer to the middle things are that overlap, and the share of the scenes whose things do.
SPREAD = {"count": (0.45, 0.7), "pair": (0.42, 0.56), "triple": (0.6, 0.8)}
OVERLAPPING = 0.75


def vary(scene: Scene, rotation: int, varied: bool, overlap: float, rng: random.Random) -> Scene:
    """Vary a scene.

    Args:
        scene: as composed.
        rotation: the largest, degrees either way; 0 for none.
        varied: whether there are small and large things.
        overlap: the largest share of a thing that others hide; 0 for none.
        rng: decides everything.
    """
    if overlap:
        scene = _crowded(scene, rng)
    if varied:
        scene = _sized(scene, rng)
    if rotation:
        turned = tuple(replace(thing, angle=rng.randint(-rotation, rotation)) for thing in scene.things)
        scene = replace(scene, things=turned)
    return scene


def _crowded(scene: Scene, rng: random.Random) -> Scene:
    things = scene.things
    if scene.layout == "triple":
        size = rng.uniform(*LINE)
        things = tuple(replace(thing, size=size) for thing in things)
    spread = 1.0
    if scene.layout in SPREAD and rng.random() < OVERLAPPING:
        spread = rng.uniform(*SPREAD[scene.layout])
    return replace(scene, things=things, spread=spread, over=())


def _sized(scene: Scene, rng: random.Random) -> Scene:
    """Make things small or large. Several of a kind are of one size; of a pair one is small and the other
    large, or both are neither; three in a line are neither."""
    small, large = rng.uniform(*SMALL), rng.uniform(*LARGE.get(scene.layout, MEDIUM))
    labels: list[str | None] = [None] * len(scene.things)
    sizes = [thing.size for thing in scene.things]
    if scene.layout == "single":
        labels = [rng.choice(["small", "large", None])]
        sizes = [{"small": small, "large": large}.get(labels[0] or "", rng.uniform(*MEDIUM))]
    elif scene.layout in ("placed", "count") and rng.random() < 0.5:
        labels, sizes = ["small"] * len(labels), [small] * len(sizes)
    elif scene.layout == "pair" and rng.random() < 0.5:
        first = rng.random() < 0.5
        labels, sizes = ["small", "large"], [small, large]
        labels, sizes = (labels, sizes) if first else (labels[::-1], sizes[::-1])
    things = tuple(
        replace(_nearer_the_edge(thing, size) if scene.layout == "placed" else thing, size=size, label=label)
        for thing, size, label in zip(scene.things, sizes, labels, strict=True))
    return replace(scene, things=things, sized=True)


def _nearer_the_edge(thing: Thing, size: float) -> Thing:
    """Move a thing in a corner or at a side so that, smaller, it is as near to the edge as before."""
    step = (SIZES["placed"][1] - size) / 2

    def moved(x: float) -> float:
        return x - step if x < 0.4 else x + step if x > 0.6 else x

    return replace(thing, x=moved(thing.x), y=moved(thing.y))
