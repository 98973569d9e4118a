"""Harder drawn scenes: what is hidden, turned and small, three things, two kinds of test images; and that the
plain values of the keys give the data set as it was."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from scene_data import write_wheel
from vltune.metrics import scene_answers, scene_records
from vltune.metrics.scene_truth import judge
from vltune.pipeline.params import check
from vltune.pipeline.questions import read_questions
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources.scenes.compose import COLOURS
from vltune.sources.scenes.draw import PLAIN, Scenes, draw
from vltune.sources.scenes.textures import Textures

# Code points of plain things, and of an alarm clock, a palm tree, a hot dog and a light bulb.
POINTS = ["1F42D", "1F42E", "1F43A", "1F419", "1F984", "1F40C", "1F427", "1F422", "1F511", "1F528", "1F6AA",
          "1F955", "23F0", "1F334", "1F32D", "1F4A1"]
SETTINGS = {"seed": 0, "image_size": 64, "concepts": 14, "train": 150, "val": 20, "test": 40, "references": 6,
            "questions": 4}
HARD = {"backgrounds": "textured", "rotation": 30, "sizes": "varied", "overlap": 0.35, "things": 3,
        "name_words": 2, "wordings": "many", "unseen_share": 0.5}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with a rectangle for each code point."""
    return write_wheel(
        tmp_path_factory.mktemp("wheel") / "openmoji.whl", POINTS,
        lambda i: f'x="9" y="9" width="{30 + i}" height="40" fill="#{i * 9:02x}1040"')


def drawn(wheel: Path, folder: Path, **change: Any) -> Path:
    draw(check(Scenes, "scenes", SETTINGS | PLAIN | change, Path("params.yaml")), wheel, folder)
    return folder


@pytest.fixture(scope="module")
def hard(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/raw of harder scenes, in a folder in which records are read."""
    return drawn(wheel, tmp_path_factory.mktemp("hard") / "data/raw", **HARD)


def records(raw: Path, split: str) -> list[dict[str, Any]]:
    return json.loads((raw / f"scenes_{split}.json").read_text())


def test_plain_values_give_the_data_set_as_it_was(wheel: Path, tmp_path: Path) -> None:
    """Of texts and records the hash that they had before there were these keys; no new key anywhere."""
    raw = drawn(wheel, tmp_path / "plain", concepts=10)
    texts = b"".join((raw / f"{name}_{split}.json").read_bytes() for split in SPLITS
                     for name in ("captions", "questions", "answers", "scenes"))
    assert hashlib.sha256(texts).hexdigest() == (
        "1aa4d7dd7e38a0dda1b6731a4184415080a02cfa38702a86c567675178cfc656")
    assert not set(PLAIN) & set(json.loads((raw / "SOURCE.json").read_text())["settings"])
    assert {tuple(sorted(record["objects"][0])) for record in records(raw, "test")} == {
        ("box", "category", "concept", "plural")}
    with Picture.open(raw / "images/test" / records(raw, "test")[0]["file_name"]) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("key", [key for key in HARD if key != "name_words"])
def test_each_key_alone_changes_the_data_set_and_is_in_its_source(
    key: str, wheel: Path, tmp_path: Path
) -> None:
    small = {"train": 30, "val": 4, "test": 8, "concepts": 8}
    plain, other = (drawn(wheel, tmp_path / name, **small, **change)
                    for name, change in (("plain", {}), ("other", {key: HARD[key]})))
    assert json.loads((other / "SOURCE.json").read_text())["settings"][key] == HARD[key]
    files = [f"{name}_{split}.json" for name in ("captions", "scenes") for split in SPLITS]
    changed = any((plain / file).read_bytes() != (other / file).read_bytes() for file in files)
    assert changed, "names of files, texts or records"


def test_the_same_settings_give_the_same_bytes(hard: Path, wheel: Path, tmp_path: Path) -> None:
    again = drawn(wheel, tmp_path / "again", **HARD)
    files = [file for file in sorted(hard.rglob("*")) if file.is_file()]
    assert len(files) > sum(SETTINGS[split] for split in SPLITS)
    assert all((again / file.relative_to(hard)).read_bytes() == file.read_bytes() for file in files)


def test_every_caption_and_answer_is_true_by_the_records(
    hard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hard.parents[1])
    known = scene_records.read()
    for image, texts in read_captions(hard / "captions_test.json").by_image().items():
        assert len(set(texts)) == len(texts) == 6
        for text in texts:
            assert judge(text, known.records[image], known.vocabulary).true, (text, known.records[image])
    files = hard / "questions_test.json", hard / "answers_test.json"
    for question in read_questions(*files, set(known.records)):
        record = known.records[question.image_id]
        assert scene_answers.true(question.question_type, question.question, question.answer, record,
                                  known.vocabulary), (question, record)


def test_nothing_is_hidden_by_more_than_the_largest_share(hard: Path) -> None:
    objects = [thing for split in SPLITS for record in records(hard, split) for thing in record["objects"]]
    hidden = [thing["hidden"] for thing in objects]
    assert 0.1 < max(hidden) <= HARD["overlap"]
    assert {abs(thing["angle"]) <= 30 for thing in objects} == {True}
    assert {thing["size"] for thing in objects} == {"small", "large", None}
    for thing in objects:
        left, top, width, height = thing["box"]
        assert min(left, top) >= 0
        assert max(left + width, top + height) <= 64


def test_what_is_over_what_agrees_with_the_boxes(hard: Path) -> None:
    over = Counter()
    for record in records(hard, "train"):
        for front, back in record["over"]:
            assert front > back, "the last thing is drawn last"
            a, b = (record["objects"][i]["box"] for i in (front, back))
            assert all(abs((a[k] + a[k + 2] / 2) - (b[k] + b[k + 2] / 2)) < (a[k + 2] + b[k + 2]) / 2
                       for k in (0, 1)), "boxes that do not meet"
            over[record["kind"]] += 1
    assert set(over) == {"pair", "triple"}


def test_large_things_are_larger_than_small_ones_and_their_sides_are_right(hard: Path) -> None:
    sides = {"left of": [0, 2], "above": [0, 2], "row": [0, 1, 2], "column": [0, 1, 2]}
    for record in (record for split in SPLITS for record in records(hard, split)):
        longer = {thing["size"]: max(thing["box"][2:]) for thing in record["objects"]}
        if {"small", "large"} <= set(longer):
            assert longer["large"] > 1.5 * longer["small"]
        if record["relation"]:
            axis = record["relation"] in ("above", "column")
            centres = [thing["box"][axis] + thing["box"][axis + 2] / 2 for thing in record["objects"]]
            assert len(centres) == len(sides[record["relation"]])
            assert np.diff(centres).min() > 0.12 * 64


def test_half_of_the_test_images_show_combinations_of_train(hard: Path) -> None:
    held_out = json.loads((hard / "SOURCE.json").read_text())["held_out"]
    assert "that is marked as unseen" in held_out["rule"]

    def shown(record: dict[str, Any]) -> bool:
        names = [thing["concept"] for thing in record["objects"]]
        pairs = any(sorted((a, b)) in held_out["pairs"] for a in names for b in names)
        if record["kind"] in ("pair", "triple"):
            return pairs
        if record["kind"] == "count":
            return held_out["numbers"][names[0]] == len(names)
        return record["colour"] in held_out["colours"][names[0]]

    test = records(hard, "test")
    assert [record["unseen"] for record in test] == [False, True] * 20
    assert all(shown(record) == record["unseen"] for record in test)
    assert not any(shown(record) for split in ("train", "val") for record in records(hard, split))
    assert "unseen" not in records(hard, "train")[0]


def test_backgrounds_keep_their_colour_and_noise_its_bounds() -> None:
    textures = Textures(0, 224)
    for number in range(40):
        name, colour = list(COLOURS.items())[number % len(COLOURS)]
        texture = textures.choose(number, colour)
        pixels = np.asarray(texture.finish(texture.background()), dtype=float)
        mean = pixels.mean((0, 1))
        nearest = min(COLOURS, key=lambda other: np.abs(mean / mean.max() - np.array(COLOURS[other]) / max(
            COLOURS[other])).sum()) if name not in ("white", "grey") else name
        assert nearest == name, (number, mean)
        assert name != "white" or mean.min() > 215
        assert name != "grey" or 130 < mean.max() < 185
        assert pixels.std() > 1


def test_texts_have_names_of_two_words_and_all_types_of_question(hard: Path) -> None:
    texts = " ".join(text for texts in read_captions(hard / "captions_train.json").by_image().values()
                     for text in texts)
    for words in ("hot dog", "palm trees", "in front of an? [a-z]+ ?[a-z]* on", "between", "small", "large",
                  "from left to right", "partly"):
        assert re.search(words, texts), words
