"""Truth of captions and answers about drawn images: every sentence and answer that the data set is made of is
true of its own scene, and becomes false with the fact that it states."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scene_data import recorded
from vltune.metrics import scene_answers, scene_records, truth
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.scene_records import Scenes
from vltune.metrics.scene_truth import Judged, judge
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.questions import AnswerPrediction
from vltune.pipeline.records import Prediction
from vltune.sources.scenes.captions import TEMPLATES, references
from vltune.sources.scenes.compose import ARRANGEMENTS, COLOURS, LINES, PLACES, RELATIONS, Scene, Thing
from vltune.sources.scenes.concepts import Concept
from vltune.sources.scenes.questions import ask

SETTINGS = Evaluate(bootstrap_samples=100, confidence=0.95, seed=0)
CONCEPTS = [
    Concept("dog", "dogs", "animal", ""), Concept("bison", "bison", "animal", ""),
    Concept("cactus", "cacti", "plant", ""), Concept("axe", "axes", "tool", ""),
    Concept("banjo", "banjos", "musical instrument", ""), Concept("candle", "candles", None, ""),
]
DOG, BISON, CACTUS = CONCEPTS[:3]


def scene(layout: str, *concepts: Concept, colour: str = "red", **where: str) -> Scene:
    return Scene(layout, colour, tuple(Thing(concept, 0.5, 0.5, 0.4) for concept in concepts), **where)


def every() -> Iterator[Scene]:
    """Scenes of every layout, place, relation and number."""
    for i, colour in enumerate(COLOURS):
        concept, other = CONCEPTS[i % 6], CONCEPTS[(i + 1) % 6]
        yield scene("single", concept, colour=colour)
        yield from (scene("placed", concept, colour=colour, position=position) for position in PLACES)
        yield from (scene("count", *[concept] * number, colour=colour) for number in ARRANGEMENTS)
        yield from (scene("pair", concept, other, colour=colour, relation=relation) for relation in RELATIONS)
        yield from (scene("triple", concept, other, CONCEPTS[(i + 4) % 6], colour=colour, relation=line)
                    for line in LINES)


SCENES = list(every())


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenes:
    monkeypatch.chdir(tmp_path)
    paths.RAW.mkdir(parents=True)
    return recorded(SCENES)


def judged(caption: str, shown: Scene, known: Scenes) -> Judged:
    return judge(caption, known.records[SCENES.index(shown)], known.vocabulary)


def test_every_reference_is_true_and_says_all_it_can_somewhere(known: Scenes) -> None:
    complete = dict.fromkeys(TEMPLATES, 0)
    for i, shown in enumerate(SCENES):
        layout = shown.relation or shown.layout
        for text in references(shown, len(TEMPLATES[layout]), random.Random(i)):
            result = judge(text, known.records[i], known.vocabulary)
            assert result.true, (text, result)
            complete[layout] += result.complete
    # of the six wordings of each: those with the colour, and with the place or relation where there is more
    # to say than the middle; a sixth of the sentences each
    assert {name: 6 * count // (len(COLOURS) * factor) for (name, count), factor in zip(
        complete.items(), (6, 48, 18, 6, 6, 6, 6), strict=True)} == {
        "single": 5, "placed": 4, "count": 6, "left of": 3, "above": 4, "row": 1, "column": 1}


def test_a_reference_is_false_of_a_scene_that_differs_in_what_it_says(known: Scenes) -> None:
    """Of all sentences without the word for it, none; of all others, all: colour, thing, number, relation."""
    for i, shown in enumerate(SCENES):
        record = known.records[i]
        other = next(name for name in ("axe", "banjo", "candle") if name not in record.things)
        first = next(iter(record.things))
        for text in references(shown, len(TEMPLATES[shown.relation or shown.layout]), random.Random(i)):
            grey = replace(record, colour="none of these")
            assert judge(text, grey, known.vocabulary).true == (shown.colour not in text), text
            renamed = {other if name == first else name: n for name, n in record.things.items()}
            sides = {other if name == first else name: own for name, own in record.sides.items()}
            assert not judge(text, replace(record, things=renamed, sides=sides), known.vocabulary).true, text
            more = {name: n + 1 for name, n in record.things.items()}
            assert not judge(text, replace(record, things=more), known.vocabulary).true, text
            if shown.relation:
                swapped = dict(zip(record.sides, reversed(record.sides.values()), strict=True))
                turned = judge(text, replace(record, sides=swapped), known.vocabulary)
                assert turned.true == (not re.search("left|right|above|below|top", text)), text


SINGLE, FOUR = scene("single", DOG, colour="white"), scene("count", *[DOG] * 4, colour="white")
LEFT = scene("pair", DOG, BISON, colour="white", relation="left of")
ABOVE = scene("pair", DOG, BISON, colour="white", relation="above")
CORNER = scene("placed", DOG, colour="white", position="in the top left corner")


@pytest.mark.parametrize(("shown", "caption", "wrong"), [
    (SINGLE, "A dog, in the center of a white background.", []),
    (SINGLE, "a big dog", []),
    (SINGLE, "dogs", ["number"]),
    (SINGLE, "two dogs", ["number"]),
    (SINGLE, "a dog and a dog", ["number"]),
    (SINGLE, "a cactus", ["thing"]),
    (SINGLE, "two cacti on a blue background", ["thing", "number", "colour"]),
    (SINGLE, "a dog on the left", ["place"]),
    (SINGLE, "a dog to the left of a cactus", ["thing", "place"]),
    (FOUR, "4 dogs", []),
    (FOUR, "dogs", []),
    (FOUR, "a dog", ["number"]),
    (FOUR, "four dogs at the top", ["place"]),
    (LEFT, "a dog", []),
    (LEFT, "to the left of a bison is a dog", []),
    (LEFT, "a dog on the left and a bison on the right", []),
    (LEFT, "a bison on the left of a white background", ["place"]),
    (LEFT, "a cactus to the left of a bison", ["thing"]),
    (LEFT, "a cactus to the right of a bison", ["thing", "place"]),
    (ABOVE, "a dog on top of a bison", []),
    (ABOVE, "a bison under a dog", []),
    (ABOVE, "a bison at the top and a dog below it", ["place"]),
    (ABOVE, "a dog and a bison side by side", ["place"]),
    (ABOVE, "a dog next to a bison", []),
    (CORNER, "at the top of a white background is a dog", []),
    (CORNER, "a dog in the upper right corner", ["place"]),
])
def test_what_is_wrong(shown: Scene, caption: str, wrong: list[str], known: Scenes) -> None:
    known = recorded([shown, *SCENES])
    result = judge(caption, known.records[0], known.vocabulary)
    assert [name for name, right in result.statements.items() if not all(right)] == wrong
    assert result.true == (not wrong)


@pytest.mark.parametrize("caption", [
    "", "a white background", "a drawing of a plum", "a dog above a plum", "three dogz on a white background",
    "the answer is a dog", "white white white"])
def test_a_caption_that_names_no_thing_or_an_unknown_one_is_not_true(caption: str, known: Scenes) -> None:
    result = judged(caption, SINGLE, known)
    assert not result.true
    assert all(right for aspect in result.statements.values() for right in aspect), "and nothing is counted"


def test_complete_needs_the_whole_place(known: Scenes) -> None:
    record = recorded([CORNER]).records[0]
    whole, part = (judge(f"a dog {where} of a white background", record, known.vocabulary)
                   for where in ("in the top left corner", "on the left"))
    assert (whole.true, whole.complete, part.true, part.complete) == (True, True, True, False)


def test_every_given_answer_is_true_and_every_other_of_its_type_false(known: Scenes) -> None:
    questions = ask(list(enumerate(SCENES)), CONCEPTS, 6, random.Random(0))
    pools = {kind: {q.answer for q in questions if q.question_type == kind} for kind in scene_answers.JUDGES}
    assert all(len(pool) > 1 for pool in pools.values())
    for question in questions:
        for answer in pools[question.question_type]:
            true = scene_answers.true(question.question_type, question.question, answer,
                                      known.records[question.image_id], known.vocabulary)
            assert true == (answer == question.answer), (question, answer)


@pytest.mark.parametrize(("kind", "question", "answer", "true"), [
    ("count", "how many dogs are there?", "Four.", True),
    ("count", "how many dogs are there?", "four or 3", False),
    ("count", "how many cacti are there?", "none", True),
    ("count", "how many things are there?", "4 dogs", True),
    ("count", "how many dogs are there?", "4 cacti", False),
    ("existence", "is there a dog?", "yes, four dogs", True),
    ("existence", "is there a dog?", "yes no", False),
    ("existence", "is there a plum?", "no", True),
    ("colour", "what colour is the background?", "a white background", True),
    ("colour", "what colour is the background?", "white and red", False),
    ("category", "what kind of thing is this?", "an animal", True),
    ("category", "what kind of thing is this?", "a dog", False),
])
def test_answers_in_other_words(kind: str, question: str, answer: str, true: bool) -> None:
    known = recorded([FOUR, *SCENES])
    assert scene_answers.true(kind, question, answer, known.records[0], known.vocabulary) is true


def captions(*texts: str) -> list[Prediction]:
    return [Prediction(i, f"{i}.png", text, [text]) for i, text in enumerate(texts)]


def test_scores_per_image_and_their_mean() -> None:
    recorded([SINGLE, FOUR, LEFT])
    rows = captions("a dog on a white background", "three dogs on a white background", "a bison")
    found = truth.of_captions(Path("p.json"), rows, SETTINGS)
    assert found.per_image["truth"] == [1, 0, 1]
    assert found.per_image["complete"] == [1, 0, 0]
    assert found.per_image["precision"] == ["1 1 1 0 1 1 1 0", "1 1 1 0 1 0 1 0", "1 1 0 0 1 1 0 0"]
    assert {name: metric["value"] for name, metric in found.metrics.items()} == pytest.approx({
        "truth": 2 / 3, "complete": 1 / 3, "precision-thing": 1, "precision-number": 2 / 3,
        "precision-colour": 1, "precision-place": 0}), "nobody speaks of a place"


def answer(number: int, image: int, text: str, blind: str | None) -> AnswerPrediction:
    question = ("is there a dog?", "existence", "yes/no")
    return AnswerPrediction(number, image, "", *question, text, blind, None, ["yes"])


def test_answers_are_counted_by_image_and_by_system() -> None:
    recorded([SINGLE, FOUR])
    rows = [answer(0, 0, "yes", "no"), answer(1, 0, "no", None), answer(2, 1, "yes", None)]
    systems = {"": [row.answer for row in rows], "other_image": [row.other_image for row in rows],
               "mean_image": [None] * 3}
    found = truth.of_answers(Path("p.json"), rows, systems, SETTINGS)
    assert found.per_image == {"questions": [2, 1], "right": [1, 1]}
    assert {name: metric["value"] for name, metric in found.metrics.items()} == pytest.approx(
        {"": 2 / 3, "other_image": 0})


def test_without_records_there_are_no_scores() -> None:
    paths.scenes("test").unlink()
    assert truth.of_captions(Path("p.json"), captions("a dog"), SETTINGS) is None
    assert truth.of_answers(Path("p.json"), [answer(0, 0, "yes", None)], {"": ["yes"]}, SETTINGS) is None


def test_an_image_without_a_record_is_named() -> None:
    recorded([SINGLE])
    with pytest.raises(InputError, match=r"p\.json: image 1 has no record in data/raw/scenes_test\.json"):
        truth.of_captions(Path("p.json"), captions("a dog", "a dog"), SETTINGS)


def test_a_record_of_the_wrong_form_is_named() -> None:
    write_json(paths.scenes("test"), [{"image_id": 0, "kind": "single"}])
    with pytest.raises(InputError, match=r"scenes_test\.json: records\[0\] has no 'colour'"):
        scene_records.read()
