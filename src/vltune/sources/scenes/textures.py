"""Backgrounds that are not flat: patterns in shades of a colour, and the look of a photograph.

Everything is made of random numbers: gradients, stripes, checks, value noise (Perlin 1985, An image
synthesizer) with and without a direction. Half of the pictures look like photographs: a background out of
focus, darker corners, another exposure, grain. Shades are bytes, and Pillow does what it can: with arrays of
floats `fetch` took twice the processor time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture
from PIL import ImageChops, ImageFilter

from vltune.pipeline.randomness import numpy_generator

PATTERNS = ("gradient", "stripes", "checks", "clouds", "fibres")
CONTRAST = (0.07, 0.15)  # of a pattern, as a share of the colour, either way
PHOTOGRAPHS = 0.5  # share of the pictures
EXPOSURE = (0.0, 0.07)  # share of the light that is lost everywhere
VIGNETTE = (0.1, 0.25)  # share of it that the corners lose
NEUTRAL = 0.4  # of all these for white and grey, which must not look like each other
GRAIN = (4.0, 10.0)  # standard deviation, of 255
BLUR = (1.0, 3.0)  # radius of a background out of focus, pixels of an image of SIDE
SIDE = 224
DARK, LIGHT = 1, 255  # shades; MIDDLE is as far from both
MIDDLE = 128


class Textures:
    """Gives each picture its texture; what all pictures share is computed once."""

    def __init__(self, seed: int, side: int) -> None:
        self._seed, self._side = seed, side
        axis = np.linspace(-1, 1, side, dtype=np.float32)
        self.x, self.y = np.meshgrid(axis, axis)
        self.radius = (self.x**2 + self.y**2) / 2  # 1 in the corners
        # the sum of four uniform numbers is nearly normal, and is the same on every machine
        uniform = numpy_generator(seed, "grain").random((4, 2 * side, 2 * side), dtype=np.float32)
        self.grain = (uniform.sum(0) - 2) * np.float32(3**0.5)

    def choose(self, number: int, colour: tuple[int, int, int]) -> Texture:
        """Give the texture of a picture by its number and the colour of its background."""
        rng = numpy_generator(self._seed, f"texture of {number}")
        return Texture(self, self._side, colour, bool(rng.random() < PHOTOGRAPHS), rng)


@dataclass(frozen=True)
class Texture:
    """The texture of one picture: first its background, then what happens to the whole of it."""

    shared: Textures
    side: int
    colour: tuple[int, int, int]
    photograph: bool
    rng: np.random.Generator

    @property
    def neutral(self) -> float:
        """How strong the differences in light are."""
        return NEUTRAL if len(set(self.colour)) == 1 else 1.0

    def background(self) -> Picture.Image:
        """Draw a background in shades of its colour."""
        pattern = self._pattern(PATTERNS[self.rng.integers(len(PATTERNS))])
        if self.photograph:
            radius = self.rng.uniform(*BLUR) * self.side / SIDE
            pattern = pattern.filter(ImageFilter.BoxBlur(radius))
        contrast = self.rng.uniform(*CONTRAST) * self.neutral
        lightest = 1 + contrast * (max(self.colour) * (1 + contrast) <= 255)  # no shade is cut off
        factors = lightest - contrast * (LIGHT - np.arange(256)) / (LIGHT - MIDDLE)
        return Picture.merge("RGB", [
            pattern.point(np.clip(factors * part, 0, 255).astype(int).tolist()) for part in self.colour])

    def finish(self, picture: Picture.Image) -> Picture.Image:
        """Change light and grain of a picture that looks like a photograph."""
        if not self.photograph:
            return picture
        exposure, vignette = (self.rng.uniform(*loss) * self.neutral for loss in (EXPOSURE, VIGNETTE))
        light = (1 - exposure) * (255 - 255 * vignette * self.shared.radius)
        top, left = self.rng.integers(self.side, size=2)
        grain = self.shared.grain[top:top + self.side, left:left + self.side]
        grain = MIDDLE + self.rng.uniform(*GRAIN) * grain
        return ImageChops.add(ImageChops.multiply(picture, _grey(light)), _grey(grain), 1, -MIDDLE)

    def _pattern(self, name: str) -> Picture.Image:
        """Draw shades from DARK to LIGHT."""
        rng, x, y = self.rng, self.shared.x, self.shared.y
        a, b = rng.uniform(-1, 1, size=2).tolist()
        if name == "gradient":
            slope = (LIGHT - MIDDLE) / max(abs(a) + abs(b), 0.1)
            return Picture.fromarray((MIDDLE + slope * (a * x + b * y)).astype(np.uint8))
        if name == "stripes":
            frequency = rng.uniform(4, 12) / max((a * a + b * b) ** 0.5, 0.1)
            return _two((frequency * a * x + frequency * b * y) % 2 < 1)
        if name == "checks":
            squares = rng.uniform(3, 8)
            return _two(((squares * x + a) % 2 < 1) == ((squares * y + b) % 2 < 1))
        cells = int(rng.integers(4, 9))
        if name == "fibres":
            size = (cells // 2, 8 * cells)
            return self._noise(size if a < b else size[::-1])
        return Picture.blend(self._noise((cells, cells)), self._noise((4 * cells, 4 * cells)), 0.3)

    def _noise(self, size: tuple[int, int]) -> Picture.Image:
        """Interpolate random shades on a grid of `size`."""
        values = self.rng.integers(DARK, LIGHT + 1, size=size, dtype=np.uint8)
        return Picture.fromarray(values).resize((self.side, self.side), Picture.Resampling.BICUBIC)


def _two(light: np.ndarray) -> Picture.Image:
    return Picture.fromarray(np.where(light, np.uint8(LIGHT), np.uint8(DARK)))


def _grey(shades: np.ndarray) -> Picture.Image:
    """Make a picture of shades [side, side], which are cut off at 0 and 255."""
    picture = Picture.fromarray(np.clip(shades, 0, 255).astype(np.uint8))
    return Picture.merge("RGB", [picture] * 3)
