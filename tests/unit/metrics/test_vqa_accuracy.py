"""VQAv2 accuracy on cases written from its published rules, and the scores of the question task made from
it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vltune.comparison import per_image as by_image
from vltune.metrics import accuracy, bootstrap, evaluate, signature, vqa
from vltune.metrics.accuracy import CONTRACTIONS
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.questions import AnswerPrediction, Question, write_questions
from vltune.pipeline.records import Caption, Captions, Image, write_captions, write_predictions

SETTINGS = Evaluate(bootstrap_samples=400, confidence=0.95, seed=0)


def three(answer: str) -> list[str]:
    """Three people say it, seven say other things: whoever says it too gets 0.9."""
    return [*[answer] * 3, *["something else"] * 4, "no idea", "who knows", "xyz"]


# What the model says, what people say, the accuracy.
CASES = [
    # nothing, or everybody the same: then no text is processed but for white space
    ("", ["yes"] * 10, 0),
    ("", three("yes"), 0),
    (" \n\t", three("yes"), 0),
    ("yes", ["yes"] * 10, 1),
    ("no", ["yes"] * 10, 0),
    ("Yes", ["yes"] * 10, 0),
    ("yes.", ["yes"] * 10, 0),
    ("\tyes \n", ["yes"] * 10, 1),
    ("yes", ["yes ", "\nyes", *["yes"] * 8], 1),
    ("Yes", ["yes ", "\nyes", *["yes"] * 8], 0),
    ("red\nblue", ["red blue"] * 10, 1),
    ("red  blue", ["red blue"] * 10, 0),
    ("two", ["2"] * 10, 0),
    ("two", ["two"] * 10, 1),
    ("the dog", ["dog"] * 10, 0),
    ("STOP", ["STOP"] * 10, 1),
    # 0 to 10 people say the same
    ("yes", ["no"] * 9 + ["maybe"], 0),
    ("yes", ["yes"] * 1 + ["no"] * 9, 0.3),
    ("yes", ["yes"] * 2 + ["no"] * 8, 0.6),
    ("yes", ["yes"] * 3 + ["no"] * 7, 0.9),
    ("yes", ["yes"] * 4 + ["no"] * 6, 1),
    ("yes", ["yes"] * 9 + ["no"] * 1, 1),
    # a single person: exact match after normalisation
    ("yes", ["yes"], 1),
    ("The dog.", ["dog"], 1),
    ("two", ["2"], 1),
    ("cat", ["dog"], 0),
    ("", ["dog"], 0),
    # fewer people
    ("yes", ["yes"] * 2, 1 / 3),
    ("yes", ["yes"] * 3, 2 / 3),
    ("yes", ["yes"] * 4, 1),
    ("yes", ["yes"] * 2 + ["no"] * 3, 8 / 15),
    # lower case, articles, number words
    ("YES", ["Yes"] * 5 + ["yes"] * 5, 1),
    ("the dog", three("dog"), 0.9),
    ("A Dog", three("an dog"), 0.9),
    ("another dog", three("dog"), 0),
    ("", three("a"), 0.9),
    ("the", three("an"), 0.9),
    ("none", three("0"), 0.9),
    ("0", three("none"), 0.9),
    ("zero", three("None."), 0.9),
    ("none", ["none", "zero", "0", *["1"] * 7], 0.9),
    ("Two dogs", three("2 dogs"), 0.9),
    ("one two", three("1 2"), 0.9),
    ("ten", three("10"), 0.9),
    ("eleven", three("11"), 0),
    # contractions
    ("dont", three("don't"), 0.9),
    ("DONT know", three("don't know"), 0.9),
    ("couldnt've", three("couldn't've"), 0.9),
    ("couldn'tve", three("couldn't've"), 0.9),
    ("couldntve", three("couldn't've"), 0),
    ("Im", three("I'm"), 0),
    ("its", three("it's"), 0),
    ("somebody'd", three("somebodyd"), 0.9),
    ("girl's", three("girls"), 0),
    # punctuation: gone where it stands beside a space, everywhere beside digits with a comma, else a space
    ("yes!", three("yes"), 0.9),
    ('"stop"', three("stop"), 0.9),
    ("t-shirt", three("t shirt"), 0.9),
    ("t-shirt", three("tshirt"), 0),
    ("t-shirt - red", three("tshirt red"), 0.9),
    ("t-shirt - red", three("t shirt red"), 0),
    ("red,blue", three("red blue"), 0.9),
    ("red, blue", three("red blue"), 0.9),
    ("1,000", three("1000"), 0.9),
    ("1,000 t-shirts", three("1000 tshirts"), 0.9),
    ("1, 000", three("1000"), 0),
    ("2:30", three("2 30"), 0),
    ("2:30", three("2:30"), 0.9),
    ("\\/_@[]{}()<>=+`;?", three("the"), 0.9),
    # periods
    ("3.", three("3"), 0.9),
    ("3.5", three("3.5"), 0.9),
    ("3.5", three("35"), 0),
    (".5", three("5"), 0),
    ("p.m.", three("pm"), 0.9),
    ("St. Louis", three("st louis"), 0.9),
    ("x" + "." * 32, three("x"), 0.9),
    ("x" + "." * 33, three("x"), 0),
    # white space inside
    ("red\tblue", three("red blue"), 0.9),
    (" red   blue ", three("red\nblue"), 0.9),
]


@pytest.mark.parametrize(("answer", "given", "expected"), CASES)
def test_accuracy(answer: str, given: list[str], expected: float) -> None:
    before = list(given)
    assert accuracy.accuracy(answer, given) == pytest.approx(expected, abs=1e-12)
    assert given == before


def test_contractions_that_are_listed_lack_one_apostrophe() -> None:
    assert CONTRACTIONS["twas"] == "'twas"
    assert CONTRACTIONS["yall'd've"] == CONTRACTIONS["y'all'dve"] == "y'all'd've"
    assert not {"ill", "well", "id", "were", "shed", "its"} & set(CONTRACTIONS)
    assert len(CONTRACTIONS) == 114


def answered(number: int, image: int, kind: str, answer_type: str, answer: str, right: str, other: str = "?",
             mean: str = "?") -> AnswerPrediction:
    return AnswerPrediction(
        number, image, f"{image}.png", "what?", kind, answer_type, answer, other, mean, [right] * 10
    )


ROWS = [
    answered(1, 1, "existence", "yes/no", "yes", "yes", other="no", mean="yes"),
    answered(2, 1, "count", "number", "2", "2", other="2", mean="3"),
    answered(3, 1, "count", "number", "4", "3", other="2", mean="3"),
    answered(4, 2, "existence", "yes/no", "no", "no", other="no", mean="yes"),
    answered(5, 10, "colour", "other", "red", "blue", other="blue", mean="red"),
]
KNOWN = [
    Question(i, i, "?", kind, "other", [said] * 10)
    for i, (kind, said) in enumerate(
        [
            ("count", "3"),
            ("count", "2"),
            ("count", "2"),
            ("existence", "yes"),
            ("existence", "yes"),
            ("existence", "yes"),
        ]
    )
]


def values(found: dict) -> dict[str, float]:
    return {name: row["value"] for name, row in found.items()}


def test_scores_by_kind_and_of_the_controls() -> None:
    scores, per_image = vqa.score(ROWS, KNOWN, SETTINGS)
    assert list(scores) == ["metrics", "question_types", "controls", "control_question_types"]
    assert values(scores["metrics"]) == {"accuracy": 0.6, "yes/no": 1, "number": 0.5, "other": 0}
    assert values(scores["question_types"]) == {"colour": 0, "count": 0.5, "existence": 1}
    assert {name: row["questions"] for name, row in scores["question_types"].items()} == {
        "colour": 1,
        "count": 2,
        "existence": 2,
    }
    assert {name: values(found) for name, found in scores["controls"].items()} == {
        "other_image": {"accuracy": 0.6, "yes/no": 0.5, "number": 0.5, "other": 1},
        "mean_image": {"accuracy": 0.4, "yes/no": 0.5, "number": 0.5, "other": 0},
        # colour does not occur in training: it gets the most frequent answer of all, yes
        "most_frequent": {"accuracy": 0.4, "yes/no": 0.5, "number": 0.5, "other": 0},
    }
    assert values(scores["control_question_types"]["most_frequent"]) == {
        "colour": 0,
        "count": 0.5,
        "existence": 0.5,
    }
    assert per_image == {
        "images": [1, 2, 10],
        "questions": {"accuracy": [3, 1, 1], "yes/no": [1, 1, 0], "number": [2, 0, 0], "other": [0, 0, 1]},
        "right": {"accuracy": [2, 1, 0], "yes/no": [1, 1, 0], "number": [1, 0, 0], "other": [0, 0, 0]},
    }
    for name, score in scores["metrics"].items():
        one = by_image.estimates(name, {"it": [per_image]}, SETTINGS)["it"]
        assert one.mean == pytest.approx(score["value"])
        # a sample may lack questions of a type of answer, and is then left out
        right, counts = np.array(per_image["right"][name]), np.array(per_image["questions"][name])
        drawn = bootstrap.draws(3, SETTINGS.bootstrap_samples, SETTINGS.seed)
        ends = bootstrap.interval(bootstrap.ratios(drawn, right, counts), SETTINGS.confidence)
        assert ends == pytest.approx((score["low"], score["high"]))
        assert by_image.images(name, per_image) == {"accuracy": 3, "yes/no": 2, "number": 1, "other": 1}[name]
    assert all(set(row) == {"value", "low", "high"} for row in scores["metrics"].values())
    assert scores["metrics"]["accuracy"]["low"] < 0.6 < scores["metrics"]["accuracy"]["high"]


def test_a_model_is_scored_on_the_questions_that_it_was_asked() -> None:
    rows = [replace(row, answer=None if row.question_id in (3, 4) else row.answer) for row in ROWS]
    scores, per_image = vqa.score(rows, KNOWN, SETTINGS)
    whole, _ = vqa.score(ROWS, KNOWN, SETTINGS)
    assert values(scores["metrics"]) == pytest.approx(
        {"accuracy": 2 / 3, "yes/no": 1, "number": 1, "other": 0})
    assert scores["controls"] == whole["controls"]
    assert per_image == {
        "images": [1, 2, 10],
        "questions": {"accuracy": [2, 0, 1], "yes/no": [1, 0, 0], "number": [1, 0, 0], "other": [0, 0, 1]},
        "right": {"accuracy": [2, 0, 0], "yes/no": [1, 0, 0], "number": [1, 0, 0], "other": [0, 0, 0]},
    }
    with pytest.raises(InputError, match="expected at least one answer, found 2 rows whose answer is null"):
        vqa.checked(Path("some.json"), [replace(row, answer=None) for row in ROWS[:2]])


def test_kinds_of_answer_that_do_not_occur_are_left_out() -> None:
    scores, _ = vqa.score(ROWS[1:3], KNOWN, SETTINGS)
    assert list(scores["metrics"]) == list(scores["controls"]["most_frequent"]) == ["accuracy", "number"]
    assert scores["metrics"]["accuracy"] == {"value": 0.5, "low": 0.5, "high": 0.5}, (
        "one image: every draw is the same"
    )


def test_the_most_frequent_answer_of_equally_many_is_the_first() -> None:
    found = vqa.most_frequent(KNOWN[:2])
    assert (found["count"], found["never asked"]) == ("3", "3")


def test_intervals_are_over_images_not_over_questions() -> None:
    """Ten questions an image, all right or all wrong: the images are what is drawn, so the interval is wider
    by sqrt(10)."""
    luck = np.random.default_rng(0).random(60) < 0.5
    rows = [
        answered(10 * i + j, i, "any", "other", "x" if luck[i] else "y", "x")
        for i in range(60)
        for j in range(10)
    ]
    found = vqa.score(rows, KNOWN, SETTINGS)[0]["metrics"]["accuracy"]
    single = np.repeat(luck, 10).astype(float)
    low, high = bootstrap.interval(bootstrap.means(bootstrap.draws(600, 400, seed=0), single), 0.95)
    assert found["value"] == pytest.approx(single.mean())
    assert (found["high"] - found["low"]) / (high - low) == pytest.approx(10 ** 0.5, rel=0.15)


def test_the_interval_over_images_covers_the_truth_as_often_as_it_says() -> None:
    """Images with different numbers of questions, whose answers agree; the interval over questions covers it
    far less often."""
    worlds, counts, sizes = np.random.default_rng(1), bootstrap.draws(80, 400, seed=0), np.arange(80) % 8 + 1
    chances = worlds.beta(1, 1, size=(400, 80))  # the truth is 0.5
    right = worlds.binomial(sizes, chances)
    inside = []
    for row in right:
        low, high = bootstrap.interval(bootstrap.ratios(counts, row, sizes), 0.95)
        inside.append(low <= 0.5 <= high)
    assert 0.91 < np.mean(inside) < 0.98
    spread = np.sqrt(0.25 / sizes.sum())  # of independent questions
    alone = np.abs(right.sum(1) / sizes.sum() - 0.5) <= 1.96 * spread
    assert alone.mean() < 0.85


def test_a_draw_without_questions_of_a_kind_is_left_out() -> None:
    counts = np.array([[2, 0], [1, 1], [0, 2]])
    found = bootstrap.ratios(counts, np.array([1, 0]), np.array([2, 0]))
    assert found[:2].tolist() == [0.5, 0.5]
    assert np.isnan(found[2])
    assert bootstrap.interval(found, 0.9) == (0.5, 0.5)


def test_rows_come_in_the_order_of_ids_so_that_draws_are_paired() -> None:
    mixed = [ROWS[i] for i in (4, 2, 0, 3, 1)] + [replace(ROWS[0], question_id="q", image_id="b")]
    assert [row.question_id for row in vqa.checked(Path("p.json"), mixed)] == [1, 2, 3, 4, 5, "q"]
    assert vqa.score(vqa.checked(Path("p.json"), mixed[:5]), KNOWN, SETTINGS) == vqa.score(
        ROWS, KNOWN, SETTINGS
    )


def test_a_control_is_scored_on_the_questions_that_it_answers() -> None:
    left_out = {"other_image": None, "mean_image": None}
    part = [replace(row, **left_out) if row.question_id in (1, 4) else row for row in ROWS]
    asked = [row for row in ROWS if row.question_id not in (1, 4)]
    scores, alone = (vqa.score(rows, KNOWN, SETTINGS)[0] for rows in (part, asked))
    whole, per_image = vqa.score(ROWS, KNOWN, SETTINGS)
    assert vqa.score(vqa.checked(Path("p.json"), part), KNOWN, SETTINGS)[1] == per_image
    assert scores["metrics"] == whole["metrics"]
    for name in vqa.BLIND:
        assert values(scores["controls"][name]) == values(alone["controls"][name])
    none = vqa.score([replace(row, **left_out) for row in ROWS], KNOWN, SETTINGS)[0]
    assert list(none["controls"]) == [vqa.MOST_FREQUENT]


@pytest.mark.parametrize(("changed", "message"), [
    ({"answer": 2}, r"p\.json: row 1 \(question 2\): answer must be text, found 2"),
    ({"other_image": 3}, "row 1 .*: other_image must be text, found 3"),
    ({"mean_image": []}, "row 1 .*: mean_image must be text"),
    ({"question_type": None}, "row 1 .*: question_type must be text"),
    ({"answer_type": "colour"}, "row 1 .*: answer_type must be one of yes/no, number, other, found 'colour'"),
    ({"answers": []}, r"row 1 .*: expected a list of at least one answer, all texts, found \[\]"),
    ({"answers": ["yes", 2]}, "row 1 .*: expected a list of at least one answer, all texts"),
    ({"answers": "yes"}, "row 1 .*: expected a list of at least one answer, all texts"),
])
def test_bad_rows_are_named(changed: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        vqa.checked(Path("p.json"), [ROWS[0], replace(ROWS[1], **changed)])


def test_signature_depends_on_what_must_be_equal_and_on_nothing_else() -> None:
    first = signature.sign_answers(ROWS, KNOWN, SETTINGS)
    assert (first["task"], first["images"], first["questions"]) == ("vqa", 3, 5)
    said = [replace(row, answer="!", other_image="!", mean_image="!") for row in ROWS]
    assert signature.sign_answers(said, KNOWN, SETTINGS) == first
    for changed in (
        {"question": "who?"},
        {"answers": ["x"]},
        {"question_type": "x"},
        {"answer_type": "number"},
        {"question_id": 99},
    ):
        other = signature.sign_answers([replace(ROWS[0], **changed), *ROWS[1:]], KNOWN, SETTINGS)
        with pytest.raises(InputError, match="'full' and 'lora' cannot be compared: 'answers' is"):
            signature.check_same({"full": first, "lora": other})
    with pytest.raises(InputError, match="'train_answers' is"):
        signature.check_same({"full": first, "lora": signature.sign_answers(ROWS, KNOWN[1:], SETTINGS)})


def test_the_signature_says_how_many_questions_have_one_answer_and_how_many_images_are_shared() -> None:
    assert "exact_match" not in signature.sign_answers(ROWS, KNOWN, SETTINGS)
    single = [replace(row, answers=["x"]) for row in ROWS[:2]]
    assert signature.sign_answers([*single, *ROWS[2:]], KNOWN, SETTINGS)["exact_match"] == 2
    train = [Image(ROWS[0].image_id, "a.png"), Image("other", "b.png")]
    assert signature.sign_shared_images(ROWS, train) == {"shared_images": 1}
    assert signature.sign_shared_images(ROWS, train[1:]) == {}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_predictions(paths.predictions("lora", "vqa", 0), {"vqa": [ROWS[i] for i in (3, 0, 2, 4, 1)]})
    write_json(paths.checkpoint("lora", "vqa", 0) / "checkpoint.json", {
        "trained_parameters": 5, "trained_share": 0.1, "projector_parameters": 7, "checkpoint_bytes": 9,
        "budget": None, "audit": {"frozen_sha256": "f0"}})
    write_captions(paths.captions("train"), Captions([Image(i, f"{i}.png") for i in range(6)],
                                                      [Caption(i, i, "a dog") for i in range(6)]), {})
    write_questions(*paths.questions("train"), KNOWN, {})
    return tmp_path


def test_the_results_file(project: Path) -> None:
    evaluate.evaluate("lora", "vqa", 0, SETTINGS)
    written = (project / "data/results/lora/vqa-0.json").read_bytes()
    found = json.loads(written)
    assert list(found) == [
        "task",
        "method",
        "seed",
        "metrics",
        "question_types",
        "controls",
        "control_question_types",
        "trained_parameters",
        "trained_share",
        "projector_parameters",
        "checkpoint_bytes",
        "budget",
        "audit",
        "projector",
        "per_image",
        "signature",
    ]
    assert found["audit"] == {"frozen_sha256": "f0"}
    assert (found["task"], found["method"], found["seed"], found["trained_share"]) == ("vqa", "lora", 0, 0.1)
    scores, per_image = vqa.score(ROWS, KNOWN, SETTINGS)
    assert {name: found[name] for name in scores} == scores
    assert found["per_image"] == per_image
    evaluate.evaluate("lora", "vqa", 0, SETTINGS)
    assert (project / "data/results/lora/vqa-0.json").read_bytes() == written


@pytest.mark.usefixtures("project")
def test_no_training_questions_are_said() -> None:
    write_questions(*paths.questions("train"), [], {})
    with pytest.raises(
        InputError, match=r"data/raw/questions_train\.json: expected at least one training question"
    ):
        evaluate.evaluate("lora", "vqa", 0, SETTINGS)
