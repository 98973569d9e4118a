"""Metrics without Java: literal values, degenerate rows first, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vltune.metrics import bootstrap, caption, diversity, evaluate, java, signature, tokenize
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.caption_metrics import bleu, cider, meteor, rouge
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import check
from vltune.pipeline.records import Prediction

SETTINGS = Evaluate(bootstrap_samples=200, confidence=0.95, seed=0)
ROWS = [Prediction(i, f"{i}.png", f"a dog number {i}", ["A dog.", "one dog"]) for i in range(3)]
# What METEOR 1.5 says of "a dog running in park" beside "a dog runs in the park".
DOG = np.array([5, 6, 2, 3, 2, 2, 2, 2, 1, 1, 0, 0, *[0] * 8, 2, 5, 5])


def corpus_bleu(hypotheses: list[str], references: list[list[str]]) -> np.ndarray:
    return bleu.value(bleu.statistics(hypotheses, references).sum(0))


def fake_java(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "java"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(java, "JAVA", path)


def test_an_empty_caption_scores_0_and_shifts_nothing() -> None:
    references = [["a dog runs over grass"], ["two cats sleep on sofas"], ["one bird flies past trees"]]
    hypotheses = ["", "two cats sleep on sofas", "one bird flies past trees"]
    np.testing.assert_allclose(cider.statistics(hypotheses, references), [0, 10, 10], rtol=1e-12)
    np.testing.assert_allclose(rouge.statistics(hypotheses, references), [0, 1, 1], rtol=1e-12)
    assert bleu.statistics(hypotheses, references)[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 5]
    np.testing.assert_allclose(corpus_bleu(hypotheses, references), np.exp(1 - 15 / 10), rtol=1e-8)


def test_only_empty_captions_score_0() -> None:
    np.testing.assert_allclose(corpus_bleu(["", ""], [["a dog"], ["a cat"]]), 0, atol=1e-12)
    assert meteor.value(np.array([0, 3, 0, 1, *[0] * 19])) == 0
    assert diversity.measure([""], set()) == {
        "distinct-1": 0,
        "distinct-2": 0,
        "vocabulary": 0,
        "unique_share": 1,
        "novel_share": 0,
        "mean_length": 0,
    }


def test_cider_of_a_single_image_is_0() -> None:
    said, references = ["a dog runs"], [["a dog runs"]]
    assert (cider.statistics(said, references)[0], rouge.statistics(said, references)[0]) == (0, 1)


def test_bleu_literals() -> None:
    papineni = corpus_bleu(
        ["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]]
    )
    assert papineni[0] == pytest.approx(2 / 7, rel=1e-8)
    assert papineni[1] == pytest.approx(0, abs=1e-7)
    short = corpus_bleu(["a dog"], [["a dog runs fast"]])
    np.testing.assert_allclose(short[:2], np.exp(-1), rtol=1e-8)
    closest = bleu.statistics(["a b c d"], [["a b", "a b c d e f", "a b c"]])[0]
    assert closest.tolist() == [4, 3, 2, 1, 4, 3, 2, 1, 4, 3]


def test_rouge_literal() -> None:
    # precision and recall are the best over the references, of different ones here: 1 and 2/3; beta is 1.2
    scores = rouge.statistics(["a dog"], [["a dog runs", "the big brown dog sat"]])
    assert scores[0] == pytest.approx((1 + 1.44) * 1 * (2 / 3) / (2 / 3 + 1.44), rel=1e-12)


def test_captions_of_other_images_score_by_their_wording_alone() -> None:
    references = [
        ["a dog runs over grass"],
        ["two cats sleep on sofas"],
        ["one bird flies past trees"],
        ["two cats sleep on sofas"],
    ]
    said = [texts[0] for texts in references]
    counts = bootstrap.draws(4, 100, seed=0)
    found = caption.other_image(said, references, counts, 0.95)
    np.testing.assert_allclose(
        found["value"], cider.statistics([said[i] for i in (2, 3, 0, 1)], references).mean(), rtol=1e-9
    )
    assert found["value"] == pytest.approx(5, abs=1e-9), (
        "the two images of cats get each other's caption, the others nothing"
    )
    assert found["low"] <= found["value"] <= found["high"]
    alike, expected = ["a dog runs"] * 3, [["a dog runs"], ["a cat"], ["a fish"]]
    alone = caption.other_image(alike, expected, bootstrap.draws(3, 100, seed=0), 0.95)
    assert alone["value"] == pytest.approx(cider.statistics(alike, expected).mean()), (
        "who always says the same is blind"
    )


def test_meteor_formula_literal() -> None:
    precision, recall = 2.45 / 2.75, 2.45 / 3
    expected = (1 - 0.6 * 0.4 ** 0.2) / (0.15 / precision + 0.85 / recall)
    assert float(meteor.value(DOG)[0]) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(0.41389, abs=1e-5)


def test_meteor_perfect_segments_bring_no_chunk() -> None:
    perfect = np.array([3, 3, 1, 1, 2, 2, 1, 1, *[0] * 12, 1, 3, 3])
    found = meteor.summable(np.stack([perfect, DOG]))
    assert found[:, 20].tolist() == [0, 2]
    assert meteor.value(found)[:, 0].tolist() == pytest.approx([1, 0.413889], abs=1e-5)
    assert perfect[20] == 1, "the argument is as it was"


def test_draws_repeat_and_differ_by_seed() -> None:
    first = bootstrap.draws(50, 200, seed=0)
    assert first.shape == (200, 50)
    assert (first.sum(1) == 50).all()
    assert (first == bootstrap.draws(50, 200, seed=0)).all()
    assert (first != bootstrap.draws(50, 200, seed=1)).any()


def test_sums_are_what_they_say() -> None:
    counts = np.array([[2, 0, 1], [0, 3, 0]])
    assert bootstrap.sums(counts, np.array([[1, 10], [2, 20], [3, 30]])).tolist() == [[5, 50], [6, 60]]
    assert bootstrap.means(counts, np.array([1, 2, 3])).tolist() == pytest.approx([5 / 3, 2])


def test_interval_literal_and_of_one_image() -> None:
    assert bootstrap.interval(np.arange(101) / 100, 0.9) == pytest.approx((0.05, 0.95))
    counts = bootstrap.draws(1, 100, seed=0)
    assert bootstrap.interval(bootstrap.means(counts, np.array([0.3])), 0.95) == pytest.approx((0.3, 0.3))


def test_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    counts = bootstrap.draws(100, 400, seed=0)
    worlds = np.random.default_rng(1).exponential(
        size=(100, 1000)
    )  # skewed, as scores are; the true mean is 1
    means = bootstrap.sums(counts, worlds) / 100
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    assert 0.91 < ((low <= 1) & (high >= 1)).mean() < 0.97


def test_diversity_literals() -> None:
    found = diversity.measure(["a dog runs", "a dog runs", "a cat"], {"a cat"})
    assert found == {"distinct-1": 0.5, "distinct-2": 0.6, "vocabulary": 4, "unique_share": 0.6666666667,
                     "novel_share": 0.6666666667, "mean_length": 2.6666666667}
    with pytest.raises(InputError, match="at least one caption"):
        diversity.measure([], set())


def test_signature_depends_on_what_must_be_equal_and_on_nothing_else() -> None:
    first = signature.sign_captions(ROWS, ["a cat"], SETTINGS)
    said = [replace(row, caption="something else") for row in ROWS]
    assert signature.sign_captions(said, ["a cat"], SETTINGS) == first
    signature.check_same({"lora": first, "full": dict(first)})
    fewer = signature.sign_captions(ROWS[:2], ["a cat"], SETTINGS)
    with pytest.raises(InputError, match="'lora' and 'full' cannot be compared: 'images' is 3 and 2"):
        signature.check_same({"lora": first, "full": fewer})
    others = signature.sign_captions([replace(ROWS[0], references=["x"]), *ROWS[1:]], ["a cat"], SETTINGS)
    with pytest.raises(InputError, match="'references' is"):
        signature.check_same({"lora": first, "full": others})
    redrawn = signature.sign_captions(
        ROWS, ["a cat"], check(Evaluate, "evaluate", SETTINGS.model_dump() | {"seed": 7})
    )
    with pytest.raises(InputError, match=r"'evaluate\.seed' is 0 and 7"):
        signature.check_same({"lora": first, "full": redrawn})
    with pytest.raises(InputError, match="'extra' is None and 1"):
        signature.check_same({"lora": first, "full": first | {"extra": 1}})


@pytest.mark.parametrize(
    ("key", "value"), [("bootstrap_samples", 99), ("confidence", 1.0), ("confidence", 0.0), ("seed", 0.5)]
)
def test_settings_out_of_range(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"evaluate.{key}"):
        check(Evaluate, "evaluate", SETTINGS.model_dump() | {key: value})


@pytest.mark.parametrize(("changed", "message"), [
    ({"caption": None}, r"row 1 \(image 1\): caption must be text, found None"),
    ({"references": []}, r"row 1 \(image 1\): expected a list of at least one reference, found \[\]"),
    ({"references": "a dog"}, r"row 1 \(image 1\): expected a list of at least one reference, found 'a dog'"),
    ({"references": ["a dog", 3]}, r"row 1 \(image 1\): a reference must be text, found 3"),
])
def test_bad_rows_are_named(changed: dict, message: str) -> None:
    rows = [ROWS[0], replace(ROWS[1], **changed), ROWS[2]]
    with pytest.raises(InputError, match=message):
        caption.checked(Path("p.json"), rows)


def test_rows_come_in_the_order_of_ids_so_that_draws_are_paired() -> None:
    mixed = [replace(ROWS[0], image_id=i) for i in ("b", 10, "a", 9)]
    assert [row.image_id for row in caption.checked(Path("p.json"), mixed)] == [9, 10, "a", "b"]


def test_missing_predictions_name_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"caption-lora-0\.json: no such file; predictions there are: none"):
        evaluate.evaluate("lora", "caption", 0, SETTINGS)
    Path("data/predictions").mkdir(parents=True)
    Path("data/predictions/caption-full-0.json").write_text("[]")
    with pytest.raises(InputError, match="predictions there are: caption-full-0;"):
        evaluate.evaluate("lora", "caption", 0, SETTINGS)


def test_a_checkpoint_without_costs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in [("data/predictions/caption-lora-0.json", [vars(row) for row in ROWS]),
                        ("models/lora/caption-0/checkpoint.json", {"trained_parameters": 1})]:
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"checkpoint\.json.* has no 'trained_share'"):
        evaluate.evaluate("lora", "caption", 0, SETTINGS)


def test_java_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "JAVA", tmp_path / "nowhere" / "java")
    message = r"Java cannot start: tried .*nowhere/java \(No such file or directory\)"
    with pytest.raises(InputError, match=message):
        tokenize.tokenize(["a dog"])
    with pytest.raises(InputError, match=message):
        meteor.score(["a dog"], [["a dog"]])


def test_java_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, monkeypatch, "echo not enough memory >&2; exit 3")
    with pytest.raises(InputError, match=r"exit status 3\): not enough memory"):
        tokenize.tokenize(["a dog"])
    with pytest.raises(InputError, match=r"ended without an answer \(exit status .*\): not enough memory"):
        meteor.score(["a dog"], [["a dog"]])


def test_java_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, monkeypatch, "exec sleep 60")
    with (
        java.conversation(["-jar", "x"], tmp_path, timeout_s=0.2) as program,
        pytest.raises(InputError, match="without an answer"),
    ):
        program.hear()
    with pytest.raises(InputError, match="no answer within 0 s"):
        java.run(["-jar", "x"], tmp_path, "", timeout_s=0.2)


def test_answers_of_a_wrong_form_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, monkeypatch, "while read line; do echo Error: what; done")
    with pytest.raises(InputError, match="METEOR answered 'Error: what' where 1 numbers were expected"):
        meteor.score(["a dog"], [["a dog"]])
    fake_java(tmp_path, monkeypatch, "cat > /dev/null; echo a; echo b")
    with pytest.raises(InputError, match="gave 2 lines for 1 captions"):
        tokenize.tokenize(["a dog"])


def test_nothing_to_tokenise_needs_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "JAVA", tmp_path / "nowhere")
    assert tokenize.tokenize(["", " \u2028 "]) == ["", ""]


def test_references_without_a_word_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenize, "tokenize", lambda texts: [text.replace("!", "") for text in texts])
    rows = [ROWS[0], replace(ROWS[1], references=["!", "!!"])]
    with pytest.raises(InputError, match=r"p\.json: image 1: no reference holds a word: \['!', '!!'\]"):
        caption.score(Path("p.json"), rows, ["a cat"], SETTINGS)


def test_metrics_need_no_torch() -> None:
    code = ("import sys; sys.path.insert(0, 'src'); import vltune.metrics.evaluate; "
            "sys.exit('torch' in sys.modules)")
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
