"""Answers are those that the plain way gives: the image, the question and the answer one after the other in
one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import trainable
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.prediction import answer, predict
from vltune.prediction.generate import generate

QUESTIONS = [["what is it?", "a b"], [], ["how many things are there here?"]]
CANDIDATES = ["cat", "doghouse", "12", "a"]


@pytest.fixture(scope="module")
def vlm(tiny: Path) -> VisionLanguageModel:
    made = checkpoint.build(tiny / "decoder", 4, 32, 5, 2, torch.float32).eval()
    for weight in (
        made.projector.word_head.weight, made.projector.tag_head.weight, made.projector.words.weight,
    ):
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    return made


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Tokenizer:
    return Tokenizer(tiny / "decoder")


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(3, 4, 32, generator=torch.Generator().manual_seed(1)).half()


def row(vlm: VisionLanguageModel, image: torch.Tensor, text: list[int]) -> torch.Tensor:
    return torch.cat((vlm.embed_images(image), vlm.decoder.embed(torch.tensor([text]), torch.float32)), dim=1)


@torch.inference_mode()
def test_answers_are_those_of_one_question_at_a_time(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, features: torch.Tensor
) -> None:
    found = answer.answer(vlm, features, QUESTIONS, tokenizer, 5)
    assert [len(group) for group in found] == [2, 0, 1]
    for i, group in enumerate(QUESTIONS):
        for question, text in zip(group, found[i], strict=True):
            x = row(vlm, features[i:i + 1], tokenizer.encode(question))
            ids = generate(
                vlm.decoder, x, torch.ones(x.shape[:2], dtype=torch.bool), tokenizer.end, 1, 1.0, 5
            )[0]
            assert text == tokenizer.decode(ids)


@torch.inference_mode()
def likelihood(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, image: torch.Tensor, question: str, candidate: str,
    ended: bool = True,
) -> float:
    asked, said = tokenizer.encode(question), tokenizer.encode(f" {candidate}") + [tokenizer.end] * ended
    x = row(vlm, image, asked + said)
    n = x.shape[1]
    hidden = vlm.decoder(x, torch.arange(n)[None], torch.ones(n, n, dtype=torch.bool).tril()[None, None])
    scores = vlm.decoder.logits(hidden)[0].log_softmax(-1)
    return sum(scores[n - len(said) - 1 + i, token].item() for i, token in enumerate(said))


def test_ranking_finds_the_most_likely_candidate(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, features: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "RANK_BATCH", 1)  # also across several portions
    found = answer.rank(vlm, features, QUESTIONS, tokenizer, CANDIDATES)
    for i, group in enumerate(QUESTIONS):
        expected = [
            max(CANDIDATES, key=lambda one, q=q, i=i: likelihood(vlm, tokenizer, features[i : i + 1], q, one))
            for q in group
        ]
        assert found[i] == expected


@torch.inference_mode()
def test_without_an_end_the_best_is_the_likeliest_by_its_words_alone(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, features: torch.Tensor
) -> None:
    found = answer.rank(vlm, features, QUESTIONS, tokenizer, CANDIDATES, ended=False)
    for i, group in enumerate(QUESTIONS):
        assert found[i] == [
            max(CANDIDATES, key=lambda one, q=question, i=i: likelihood(
                vlm, tokenizer, features[i:i + 1], q, one, ended=False))
            for question in group]


@torch.inference_mode()
def test_candidates_that_cannot_win_are_left_out(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, features: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [[i] for i in range(20, 40)] + [[i, i + 1] for i in range(40, 60)]
    images, prompts = answer._read_images(vlm, features), tokenizer.encode_all(["a b", "what is it?"])
    further, scored = answer._further, []
    monkeypatch.setattr(answer, "_further", lambda *all_of: (scored.extend(all_of[1]), further(*all_of))[1])
    scores = answer._log_likelihoods(vlm, images, [0, 2], prompts, ids)
    assert 0 < len(scored) < 20
    for q, (owner, prompt) in enumerate(zip((0, 2), prompts, strict=True)):
        expected = []
        for candidate in ids:
            x = row(vlm, features[owner:owner + 1], [*prompt, *candidate])
            n = x.shape[1]
            mask = torch.ones(n, n, dtype=torch.bool).tril()[None, None]
            logits = vlm.decoder.logits(vlm.decoder(x, torch.arange(n)[None], mask))[0].log_softmax(-1)
            expected.append(sum(
                logits[n - len(candidate) - 1 + i, token].item() for i, token in enumerate(candidate)))
        assert scores[q].argmax().item() == max(range(40), key=expected.__getitem__)
        assert all(value >= exact - 1e-4 for value, exact in zip(scores[q].tolist(), expected, strict=True))


def test_likelihoods_are_those_of_whole_rows(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, features: torch.Tensor
) -> None:
    ids = [[*one, tokenizer.end] for one in tokenizer.encode_all([f" {one}" for one in CANDIDATES])]
    prompts = tokenizer.encode_all(QUESTIONS[0])
    with torch.inference_mode():
        found = answer._log_likelihoods(vlm, answer._read_images(vlm, features[:1]), [0, 0], prompts, ids)
    expected = [
        [likelihood(vlm, tokenizer, features[:1], question, one) for one in CANDIDATES]
        for question in QUESTIONS[0]
    ]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=1e-5)


def test_no_question_gives_no_answer(
    vlm: VisionLanguageModel, tokenizer: Tokenizer, features: torch.Tensor
) -> None:
    assert answer.answer(vlm, features, [[], [], []], tokenizer, 5) == [[], [], []]


@pytest.fixture
def answered(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[dict[str, Any]]]:
    """Rows of the predictions of a method whose answer to any question is the mean of what it sees."""
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    trainable.write_split("test", 5)

    def tell_what_is_seen(
        _: object, seen: torch.Tensor, asked: list[list[str]], __: Tokenizer
    ) -> list[list[str]]:
        return [
            [f"{image.float().mean():.3f}" for _ in group] for image, group in zip(seen, asked, strict=True)
        ]

    monkeypatch.setattr(predict, "_answerer", lambda *_: tell_what_is_seen)
    features = Features(paths.FEATURES, "test")
    vlm = SimpleNamespace(decoder=SimpleNamespace(embedding=SimpleNamespace(weight=torch.zeros(1))))

    def rows_of(method: str) -> list[dict[str, Any]]:
        run = predict.Run(method, "vqa", 0)
        return list(map(asdict, predict._answers(vlm, features, SimpleNamespace(batch_size=2), run)))

    return rows_of


def test_blind_answers_are_about_another_image_and_about_the_mean(
    answered: Callable[[str], list[dict[str, Any]]]
) -> None:
    rows, features = answered("lora"), Features(paths.FEATURES, "test")
    means = {i: f"{features.take([i]).astype('float32').mean():.3f}" for i in range(5)}
    assert [row["answer"] for row in rows] == [means[row["image_id"]] for row in rows]
    others = [next(i for i, mean in means.items() if mean == row["other_image"]) for row in rows]
    assert sorted(others) == [0, 1, 2, 3, 4]  # each image serves once
    assert all(other != row["image_id"] for other, row in zip(others, rows, strict=True))
    assert {row["mean_image"] for row in rows} == {
        f"{features.take(range(5)).mean(0, dtype='float32').mean():.3f}"
    }


def test_controls_of_all_runs_answer_one_sample_of_the_questions(
    answered: Callable[[str], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = answered("lora")
    monkeypatch.setattr(predict, "CONTROL_QUESTIONS", 3)
    rows, another = answered("lora"), answered("full")
    controlled = [row["question_id"] for row in rows if row["other_image"] is not None]
    assert len(rows) == 5
    assert len(controlled) == 3
    assert rows == another
    for row, other in zip(rows, whole, strict=True):
        assert row["answer"] == other["answer"]
        seen = row["question_id"] in controlled
        assert row["other_image"] == (other["other_image"] if seen else None)
        assert row["mean_image"] == (other["mean_image"] if seen else None)


def test_the_start_answers_the_sample_alone(
    answered: Callable[[str], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "CONTROL_QUESTIONS", 3)
    rows, trained = answered(paths.START), answered("lora")
    asked = [row["question_id"] for row in rows if row["answer"] is not None]
    assert asked == [row["question_id"] for row in trained if row["other_image"] is not None]
    assert len(asked) == 3
    for row, other in zip(rows, trained, strict=True):
        assert row | {"answer": ""} == other | {"answer": ""}
        assert row["answer"] == (other["answer"] if row["question_id"] in asked else None)


@pytest.mark.parametrize(("way", "start", "ends"), [
    ("generate", False, None), ("generate", True, False), ("rank", False, True), ("rank", True, False)])
def test_the_start_ranks_whatever_trained_methods_do(
    monkeypatch: pytest.MonkeyPatch, way: str, start: bool, ends: bool | None
) -> None:
    monkeypatch.setattr(predict, "questions_of", lambda _: [])
    made = predict._answerer(SimpleNamespace(answers=way, candidates=3, max_answer_tokens=4), start)
    assert made.func is (answer.answer if ends is None else answer.rank)
    assert made.keywords.get("ended") is ends
