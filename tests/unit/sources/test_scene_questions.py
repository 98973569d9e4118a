"""Questions about drawn scenes: every answer is checked against the boxes by other code than made it, and
says little alone."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from scene_data import write_wheel
from vltune.pipeline.params import check, load
from vltune.pipeline.questions import Question, read_questions
from vltune.pipeline.records import SPLITS, read_captions
from vltune.sources.scenes.compose import COLOURS
from vltune.sources.scenes.draw import PLAIN, Scenes, draw

ROOT = Path(__file__).resolve().parents[3]
# Code points of things of several kinds, some without one.
POINTS = [
    "1F42D", "1F42E", "1F43A", "1F419", "1F984", "1F40C", "1F427", "1F955", "1F95A", "1F32E", "1F681",
    "1F680", "1F69C", "1F3B8", "1F3BB", "1F528", "1F527", "1F4F7", "1F4FB", "1F3E5", "1F3E6", "1F335",
    "1F33B", "1F6CF", "1FA91", "1F511", "1F6AA", "1FAB6",
]
KINDS = {
    "cow": "animal", "wolf": "animal", "octopus": "animal", "unicorn": "animal", "snail": "animal",
    "penguin": "animal", "carrot": "food", "egg": "food", "taco": "food", "helicopter": "vehicle",
    "rocket": "vehicle", "tractor": "vehicle", "guitar": "musical instrument", "violin": "musical instrument",
    "hammer": "tool", "wrench": "tool", "camera": "electronic device", "radio": "electronic device",
    "hospital": "building", "bank": "building", "cactus": "plant", "sunflower": "plant", "bed": "furniture",
    "chair": "furniture", "key": None, "door": None, "feather": None,
}
SETTINGS = {
    "seed": 0, "image_size": 64, "concepts": 24, "train": 420, "val": 60, "test": 150, "references": 1,
    "questions": 4, **PLAIN,
}
TYPES = {"count", "existence", "colour", "position", "relation", "category", "comparison"}
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}


def drawn(folder: Path, **change: int) -> Path:
    """Draw scenes of small rectangles that are named as if they were real drawings."""
    wheel = write_wheel(folder / "openmoji.whl", POINTS,
                        lambda i: f'x="9" y="9" width="{20 + i}" height="40" fill="#{i * 9:02x}1040"')
    draw(check(Scenes, "scenes", SETTINGS | change, Path("params.yaml")), wheel, folder / "raw")
    return folder / "raw"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("asked"))


def asked(raw: Path, split: str) -> list[Question]:
    known = {image.id for image in read_captions(raw / f"captions_{split}.json").images}
    return read_questions(raw / f"questions_{split}.json", raw / f"answers_{split}.json", known)


def records(raw: Path, split: str) -> dict[int, dict[str, Any]]:
    return {record["image_id"]: record for record in json.loads((raw / f"scenes_{split}.json").read_text())}


class Seen:
    """A scene as its boxes and its picture show it."""

    def __init__(self, raw: Path, split: str, record: dict[str, Any]) -> None:
        boxes = [thing["box"] for thing in record["objects"]]
        with Picture.open(raw / "images" / split / record["file_name"]) as picture:
            self.side = picture.width
            self.background = next(
                picture.getpixel((x, y))
                for x in range(self.side)
                for y in range(self.side)
                if not any(
                    left <= x < left + width and top <= y < top + height for left, top, width, height in boxes
                )
            )
        self.names = [thing["concept"] for thing in record["objects"]]
        self.plurals = {thing["plural"]: thing["concept"] for thing in record["objects"]}
        self.kinds = [thing["category"] for thing in record["objects"]]
        self.centres = [
            ((left + width / 2) / self.side, (top + height / 2) / self.side)
            for left, top, width, height in boxes
        ]

    def where(self, name: str) -> tuple[float, float]:
        assert self.names.count(name) == 1, "'the' thing must be the only one"
        return self.centres[self.names.index(name)]

    def beside(self, direction: str, name: str) -> int:
        """The one thing in a direction of another, by more than a fifth of the picture."""
        axis, sign = {
            "to the left of": (0, -1), "to the right of": (0, 1), "above": (1, -1), "below": (1, 1),
        }[direction]
        found = [
            i for i, centre in enumerate(self.centres) if sign * (centre[axis] - self.where(name)[axis]) > 0.2
        ]
        assert len(found) == 1
        return found[0]


def colour(seen: Seen) -> str:
    return next(name for name, value in COLOURS.items() if value == seen.background)


def position(seen: Seen, name: str) -> str:
    x, y = seen.where(name)
    words = [
        "top" if y < 0.4 else "bottom" if y > 0.6 else "", "left" if x < 0.4 else "right" if x > 0.6 else "",
    ]
    return " ".join(word for word in words if word) or "middle"


def existence(seen: Seen, article: str, name: str) -> str:
    assert article == ("an" if name[0] in "aeiou" and not name.startswith("uni") else "a")
    return "yes" if name in seen.names else "no"


def amount(seen: Seen, more: str, number: str, name: str) -> str:
    count = seen.names.count(seen.plurals.get(name, name))
    assert count, "only of things that are there"
    return "yes" if (count > NUMBERS[number] if more == "more" else count < NUMBERS[number]) else "no"


def further(seen: Seen, name: str, way: str, other: str) -> str:
    direction = {"further to the left than": "to the left of", "further to the right than": "to the right of",
                 "higher up than": "above", "lower down than": "below"}.get(way, way)
    there, here = seen.where(name), seen.where(other)
    axis = 0 if direction.startswith("to the") else 1
    assert abs(there[axis] - here[axis]) > 0.2, "too near to say"
    return "yes" if (there[axis] < here[axis]) == (direction in ("to the left of", "above")) else "no"


def side(seen: Seen, where: str) -> str:
    axis, first = {
        "on the left": (0, True), "on the right": (0, False), "at the top": (1, True),
        "at the bottom": (1, False),
    }[where]
    inside = [
        i for i, centre in enumerate(seen.centres) if (centre[axis] < 0.4 if first else centre[axis] > 0.6)
    ]
    assert len(inside) == 1
    return seen.kinds[inside[0]]


def alone(seen: Seen) -> str:
    assert len(set(seen.names)) == 1
    return seen.kinds[0]


WAY = "(to the left of|to the right of|above|below)"
THERE = "(?:are there|are in the picture|can you see)"
RULES: dict[str, tuple[str, Callable[..., str]]] = {
    rf"how many things {THERE}\?": ("count", lambda seen: str(len(seen.names))),
    rf"how many (?!things)(\w+) {THERE}\?": (
        "count", lambda seen, name: str(seen.names.count(seen.plurals.get(name))),
    ),
    r"(?:is there|can you see) (an?) (\w+)(?: in the picture)?\?": ("existence", existence),
    r"(?:what|which)(?: is the)? colour (?:is the|of the|does the) background(?: have)?\?": (
        "colour", colour,
    ),
    r"where (?:is|in the picture is|can you see) the (\w+)\?": ("position", position),
    rf"(?:what is|which thing is|what do you see) {WAY} the (\w+)\?": (
        "relation", lambda seen, *at: seen.names[seen.beside(*at)],
    ),
    r"what kind of thing (?:is this|is in the picture|do you see)\?": ("category", alone),
    r"what kind of thing (?:is|do you see) (on the left|on the right|at the top|at the bottom)\?": (
        "category", side,
    ),
    rf"what kind of thing is {WAY} the (\w+)\?": ("category", lambda seen, *at: seen.kinds[seen.beside(*at)]),
    r"(?:(?:is|are) there|can you see) (more|fewer) than (one|two|three|four) (\w+)(?: in the picture)?\?": (
        "comparison", amount,
    ),
    rf"is the (\w+) (further to the (?:left|right) than|higher up than|lower down than|{WAY[1:-1]}) the "
    rf"(\w+)\?": ("comparison", further),
}


def verify(raw: Path, split: str) -> Counter[str]:
    """Check every answer of a split; give how many questions each form has."""
    shown, forms = (
        {image: Seen(raw, split, record) for image, record in records(raw, split).items()}, Counter(),
    )
    for one in asked(raw, split):
        fitting = [
            (form, re.fullmatch(form, one.question)) for form in RULES if re.fullmatch(form, one.question)
        ]
        assert len(fitting) == 1, one.question
        form, found = fitting[0]
        kind, answer = RULES[form]
        assert kind == one.question_type
        assert [answer(shown[one.image_id], *found.groups())] * 10 == one.answers, (
            one, shown[one.image_id].names,
        )
        forms[form] += 1
    return forms


def shares(questions: list[Question]) -> dict[str, float]:
    """The share of the most frequent answer of each type."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for one in questions:
        answers[one.question_type][one.answers[0]] += 1
    return {kind: max(counts.values()) / sum(counts.values()) for kind, counts in answers.items()}


def balanced(questions: list[Question]) -> None:
    """Check that yes and no say nothing: for each thing that is asked for, and for each form of a
    comparison."""
    existing, compared = defaultdict(Counter), defaultdict(Counter)
    for one in questions:
        if one.question_type == "existence":
            existing[re.search(r"\ban? (\w+)", one.question)[1]][one.answers[0]] += 1
        elif one.question_type == "comparison":
            form = re.search(r"(more|fewer) than \w+|left|above|higher|right|below|lower", one.question)[0]
            compared[{"above": "higher", "below": "lower"}.get(form, form)][one.answers[0]] += 1
    assert len(compared) == 10
    assert all(counts["yes"] == counts["no"] for counts in existing.values())
    assert all(abs(counts["yes"] - counts["no"]) <= 1 for counts in compared.values())


@pytest.mark.parametrize("split", SPLITS)
def test_every_answer_is_true(raw: Path, split: str) -> None:
    forms = verify(raw, split)
    assert split != "train" or set(forms) == set(RULES), "a form of question that is never asked"


@pytest.mark.parametrize("split", SPLITS)
def test_every_image_has_its_questions_and_all_differ(raw: Path, split: str) -> None:
    texts = defaultdict(list)
    for one in asked(raw, split):
        texts[one.image_id].append(one.question)
    assert {len(set(found)) for found in texts.values()} == {SETTINGS["questions"]}
    assert len(texts) == SETTINGS[split]


def test_ids_are_unique_over_splits_and_answer_types_are_right(raw: Path) -> None:
    questions = [one for split in SPLITS for one in asked(raw, split)]
    assert len({one.id for one in questions}) == len(questions) == 4 * (420 + 60 + 150)
    types = {(one.question_type, one.answer_type) for one in questions}
    assert types == {("count", "number"), ("existence", "yes/no"), ("comparison", "yes/no"),
                     *((kind, "other") for kind in ("colour", "position", "relation", "category"))}


def test_yes_and_no_are_balanced_for_each_thing_and_each_comparison(raw: Path) -> None:
    for split in SPLITS:
        balanced(asked(raw, split))


def test_each_type_has_its_part_and_no_answer_is_much_more_frequent(raw: Path) -> None:
    # of few questions the most frequent answer has a larger share
    for split, room in (("train", 1.0), ("test", 1.3)):
        questions = asked(raw, split)
        counts = Counter(one.question_type for one in questions)
        assert set(counts) == TYPES
        assert min(counts.values()) > len(questions) / 14
        found = shares(questions)
        assert found["existence"] == 0.5
        assert found["comparison"] < 0.52
        assert max(found[kind] for kind in ("colour", "relation")) < 0.16 * room
        assert max(found[kind] for kind in ("count", "position", "category")) < 0.31 * room


def test_numbers_are_asked_for_equally_often(raw: Path) -> None:
    counts = Counter(one.answers[0] for one in asked(raw, "train") if one.question_type == "count")
    assert set(counts) == {"0", "1", "2", "3", "4"}
    assert max(counts[n] for n in "1234") < 1.4 * min(counts[n] for n in "1234")


def test_kinds_are_what_a_person_would_say(raw: Path) -> None:
    found = {
        thing["concept"]: thing["category"]
        for split in SPLITS
        for one in records(raw, split).values()
        for thing in one["objects"]
    }
    assert len(found) == 24
    assert found == {name: KINDS[name] for name in found}


def test_the_source_says_how_frequent_the_most_frequent_answer_is(raw: Path) -> None:
    said = json.loads((raw / "SOURCE.json").read_text())["questions"]
    for split in SPLITS:
        questions = asked(raw, split)
        assert {kind: row["share"] for kind, row in said[split].items()} == pytest.approx(
            shares(questions), abs=1e-4
        )
        assert sum(row["questions"] for row in said[split].values()) == len(questions)
        row = said[split]["colour"]
        counts = Counter(one.answers[0] for one in questions if one.question_type == "colour")
        assert (row["questions"], counts[row["most_frequent"]]) == (counts.total(), max(counts.values()))


def test_the_same_seed_asks_the_same_and_another_does_not(raw: Path, tmp_path: Path) -> None:
    for seed, equal in ((0, True), (1, False)):
        (tmp_path / str(seed)).mkdir()
        again = drawn(tmp_path / str(seed), seed=seed)
        for name in ("questions_test.json", "answers_test.json"):
            assert ((again / name).read_bytes() == (raw / name).read_bytes()) == equal


@pytest.mark.parametrize("questions", [1, 6])
def test_few_and_many_questions_are_true_and_balanced_too(tmp_path: Path, questions: int) -> None:
    raw = drawn(tmp_path, questions=questions)
    verify(raw, "train")
    found = asked(raw, "train")
    balanced(found)
    per_image = Counter(one.image_id for one in found)
    assert len(per_image) == 420
    assert max(per_image.values()) == questions
    assert min(per_image.values()) >= min(questions, 4)


@pytest.mark.slow
def test_the_real_scenes_are_asked_true_and_balanced_questions(openmoji: Path, tmp_path: Path) -> None:
    settings = load(Scenes, "scenes", ROOT / "params.yaml").model_copy(
        update={"image_size": 64, "references": 1}
    )
    draw(settings, openmoji, tmp_path / "raw")
    for split in SPLITS:
        verify(tmp_path / "raw", split)
        balanced(asked(tmp_path / "raw", split))
        found = shares(asked(tmp_path / "raw", split))
        assert found["existence"] == 0.5
        assert found["comparison"] < 0.52
        assert max(found[kind] for kind in ("colour", "relation")) < 0.13
        assert max(found[kind] for kind in ("count", "position", "category")) < 0.3
    known: dict[str, Counter[str]] = defaultdict(Counter)  # whoever learns the words by heart
    for one in asked(tmp_path / "raw", "train"):
        known[one.question][one.answers[0]] += 1
        known[one.question_type][one.answers[0]] += 1
    test = asked(tmp_path / "raw", "test")
    right = [
        (known.get(one.question) or known[one.question_type]).most_common(1)[0][0] == one.answers[0]
        for one in test
    ]
    assert sum(right) / len(right) < 0.32
