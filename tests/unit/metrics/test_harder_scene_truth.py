"""Truth of captions and answers about harder scenes: every wording, sizes, overlap, names of two words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scene_data import recorded
from vltune.metrics import scene_answers, truth
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.scene_records import Scenes
from vltune.metrics.scene_truth import judge
from vltune.pipeline import paths
from vltune.pipeline.records import Prediction
from vltune.sources.scenes.captions import TEMPLATES, _words
from vltune.sources.scenes.compose import ARRANGEMENTS, COLOURS, LINES, PLACES, RELATIONS, Scene, Thing
from vltune.sources.scenes.concepts import Concept
from vltune.sources.scenes.questions import ask
from vltune.sources.scenes.wordings import MORE, OVERLAPPING

CONCEPTS = [
    Concept("dog", "dogs", "animal", ""), Concept("hot dog", "hot dogs", "food", ""),
    Concept("palm tree", "palm trees", "plant", ""), Concept("axe", "axes", "tool", ""),
    Concept("soccer ball", "soccer balls", "ball", ""), Concept("candle", "candles", None, ""),
]
DOG, HOT_DOG, TREE, AXE = CONCEPTS[:4]


def scene(layout: str, *things: tuple[Concept, str | None], colour: str = "red", over: tuple = (),
          **where: str) -> Scene:
    """A scene of things with their labels."""
    drawn = tuple(Thing(concept, 0.5, 0.5, 0.4, label=label) for concept, label in things)
    return Scene(layout, colour, drawn, sized=True, over=over, **where)


def every() -> Iterator[Scene]:
    """Scenes of every layout, place, relation, number, label and order from front to back."""
    for i, colour in enumerate(COLOURS):
        a, b, c = CONCEPTS[i % 6], CONCEPTS[(i + 1) % 6], CONCEPTS[(i + 4) % 6]
        label = (None, "small", "large")[i % 3]
        opposite = {"small": "large", "large": "small"}.get(label)
        yield scene("single", (a, label), colour=colour)
        yield from (scene("placed", (a, label), colour=colour, position=position) for position in PLACES)
        yield from (scene("count", *[(a, label)] * number, colour=colour) for number in ARRANGEMENTS)
        yield from (scene("pair", (a, label), (b, opposite), colour=colour, relation=relation, over=over)
                    for relation in RELATIONS for over in ((), ((0, 1),), ((1, 0),)))
        yield from (scene("triple", (a, None), (b, None), (c, None), colour=colour, relation=line, over=over)
                    for line in LINES for over in ((), ((2, 1),), ((1, 0), (1, 2))))


SCENES = list(every())


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenes:
    monkeypatch.chdir(tmp_path)
    paths.RAW.mkdir(parents=True)
    return recorded(SCENES)


def sentences(shown: Scene) -> Iterator[str]:
    """Every sentence that can be said of a scene, with and without sizes."""
    layout = shown.relation or shown.layout
    for template in (*TEMPLATES[layout], *MORE[layout], *(OVERLAPPING if shown.over else ())):
        yield from {template.format(**_words(shown, random.Random(seed))) for seed in range(3)}


def test_every_sentence_is_true(known: Scenes) -> None:
    for i, shown in enumerate(SCENES):
        for text in sentences(shown):
            assert judge(text, known.records[i], known.vocabulary).true, (text, shown)


def test_a_sentence_is_false_of_a_scene_that_differs_in_what_it_says(known: Scenes) -> None:
    """Colour, size, depth, side: whoever states it is wrong where it is turned round, nobody else is."""
    turned_size = {"small": "large", "large": "small", None: None}
    for i, shown in enumerate(SCENES):
        record = known.records[i]
        sides = dict(zip(record.sides, reversed(record.sides.values()), strict=True))
        changes = [
            (shown.colour, replace(record, colour="none of these")),
            ("small|large", replace(
                record, sizes={name: turned_size[size] for name, size in record.sizes.items()})),
        ]
        if shown.over:
            changes.append((r"front of an? (?!\w+ background)|behind an? (small |large )?(?!\w+ background)|"
                            "hidden|covers", replace(
                                record, over=frozenset((back, front) for front, back in record.over))))
        if shown.relation:
            changes.append(("left|right|above|below|top|bottom|higher|under|beneath",
                            replace(record, sides=sides)))
        for text in sentences(shown):
            for words, other in changes:
                true = judge(text, other, known.vocabulary).true
                assert true == (not re.search(words, text)), (text, other)


SMALL_DOG = scene("pair", (DOG, "small"), (HOT_DOG, "large"), relation="left of", over=((1, 0),))
ROW = scene("triple", (DOG, None), (HOT_DOG, None), (TREE, None), relation="row", over=((0, 1),))


@pytest.mark.parametrize(("shown", "caption", "wrong"), [
    (SMALL_DOG, "a tiny dog and a big hot dog", []),
    (SMALL_DOG, "a large dog", ["size"]),
    (SMALL_DOG, "a small axe", ["thing"]),
    (SMALL_DOG, "a dog", []),
    (SMALL_DOG, "two dogs", ["number"]),
    (SMALL_DOG, "a hot dog in front of a dog", []),
    (SMALL_DOG, "a dog in front of a hot dog", ["place"]),
    (SMALL_DOG, "a hot dog behind a dog", ["place"]),
    (SMALL_DOG, "a dog between a hot dog and an axe", ["thing", "place"]),
    (ROW, "a small dog", ["size"]),
    (ROW, "a hot dog between a dog and a palm tree", []),
    (ROW, "a dog between a hot dog and a palm tree", ["place"]),
    (ROW, "between a palm tree and a dog is a hot dog", []),
    (ROW, "from left to right a dog, a hot dog and a palm tree", []),
    (ROW, "from left to right a dog, a palm tree and a hot dog", ["place"]),
    (ROW, "a dog, a hot dog and a palm tree from right to left", ["place"]),
    (ROW, "a palm tree to the right of a dog", []),
    (ROW, "a hot dog above a dog", ["place"]),
    (ROW, "a hot dog in the middle", []),
    (ROW, "an axe to the left of a palm tree", ["thing"]),
    (ROW, "an axe to the right of a palm tree", ["thing", "place"]),
])
def test_what_is_wrong(shown: Scene, caption: str, wrong: list[str]) -> None:
    known = recorded([shown, *SCENES])
    result = judge(caption, known.records[0], known.vocabulary)
    assert [name for name, right in result.statements.items() if not all(right)] == wrong
    assert result.true == (not wrong)


def test_complete_needs_two_places_of_three_things() -> None:
    known = recorded([ROW, *SCENES])
    things = "a dog, a hot dog and a palm tree on a red background"
    for text, complete in (
        (things, False), (f"from left to right {things}", True),
        ("a dog to the left of a hot dog and a palm tree on a red background", False),
        ("a red background with a dog on the left, a hot dog and a palm tree on the right", True),
        (f"{things}, the dog in front of the hot dog", False),
    ):
        result = judge(text, known.records[0], known.vocabulary)
        assert (result.true, result.complete) == (True, complete), text


def test_every_given_answer_is_true_and_every_other_of_its_type_false(known: Scenes) -> None:
    questions = [question for seed in range(4)
                 for question in ask(list(enumerate(SCENES)), CONCEPTS, 6, random.Random(seed), more=True)]
    pools = {kind: {q.answer for q in questions if q.question_type == kind} for kind in scene_answers.JUDGES}
    for words in ("larger", "smaller", "between", "in front of", "behind"):
        assert any(words in question.question for question in questions), words
    for question in questions:
        for answer in pools[question.question_type]:
            true = scene_answers.true(question.question_type, question.question, answer,
                                      known.records[question.image_id], known.vocabulary)
            assert true == (answer == question.answer), (question, answer)


def test_records_without_sizes_and_overlap_cannot_tell() -> None:
    plain = replace(SMALL_DOG, sized=False, over=None)
    known = recorded([plain, *SCENES])
    for text in ("a large dog", "a dog in front of a hot dog"):
        assert judge(text, known.records[0], known.vocabulary).true
    assert known.hash != recorded([SMALL_DOG, *SCENES]).hash


def test_results_say_which_images_show_an_unseen_combination(tmp_path: Path) -> None:
    recorded([SMALL_DOG, ROW], unseen=[True, False])
    rows = [Prediction(i, f"{i}.png", "a dog", ["a dog"]) for i in range(2)]
    settings = Evaluate(bootstrap_samples=100, confidence=0.95, seed=0)
    assert truth.of_captions(tmp_path / "p.json", rows, settings).per_image["unseen"] == [True, False]
    recorded([SMALL_DOG, ROW])
    assert "unseen" not in truth.of_captions(tmp_path / "p.json", rows, settings).per_image
