"""The file of attention beside the predictions: which images and questions, its form, and wrong settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import trainable
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.pipeline.questions import AnswerPrediction
from vltune.pipeline.records import Prediction, write_predictions
from vltune.prediction.explain import Attention, explain
from vltune.prediction.faithfulness import MASKED

SETTINGS = Attention(images=4, layers=[], heads=[], checked_tokens=1, masked_share=0.25, seed=0)
TEXTS = ["a cat", "", "a dog on it", "a", "there is a hat", "cup"]


@pytest.fixture
def vlm(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VisionLanguageModel:
    """A model, in a folder with test images and predictions."""
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny, trainable.PROJECTOR)
    trainable.write_split("test", 6)
    write_predictions(paths.predictions("lora", "caption", 0), {"caption": [
        Prediction(i, f"{i}.png", text, ["a cat"]) for i, text in enumerate(TEXTS)]})
    write_predictions(paths.predictions("lora", "vqa", 0), {"vqa": [
        AnswerPrediction(10 * i + j, i, f"{i}.png", f"what {j}?", "what", "other", text, "", "", ["a"] * 10)
        for i, text in enumerate(TEXTS) for j in range(3)]})
    base = checkpoint.base_of(DECODER, trainable.SIGNATURE)
    return checkpoint.load(paths.checkpoint("aligned", "caption", 0), DECODER, base, torch.float32)


def explained(vlm: VisionLanguageModel, task: str, **change: object) -> dict:
    run = ("lora", task, 0)
    settings = SETTINGS.model_copy(update=change)
    explain(vlm, Features(FEATURES, "test"), Tokenizer(DECODER), run, settings)
    return read_json(Path(f"data/predictions/{task}-lora-0.attention.json"))


def test_class_tokens_are_kept_apart_from_the_grid(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    for key, value in (("cells", 1), ("fit", "crop"), ("crop_pct", 0.9)):  # of four tokens
        monkeypatch.setitem(trainable.SIGNATURE, key, value)
    content = explained(request.getfixturevalue("vlm"), "caption")
    assert (content["cells"], content["extras"], content["tags"]) == (1, 3, 2)
    assert (content["fit"], content["crop_pct"]) == ("crop", 0.9)
    assert all(len(line.split()) == 6 for row in content["images"] for line in row["weights"])


def test_captions_are_explained(vlm: VisionLanguageModel) -> None:
    content = explained(vlm, "caption")
    assert (content["cells"], content["tags"], content["sink"]) == (4, 2, True)
    assert [row["image_id"] for row in content["images"]] == [0, 2, 3, 5]
    assert [row["text"] for row in content["images"]] == [TEXTS[i] for i in (0, 2, 3, 5)]
    tokenizer = Tokenizer(DECODER)
    for row in content["images"]:
        ids = tokenizer.encode(row["text"])
        assert row["tokens"] == [tokenizer.decode([token]) for token in ids]
        weights = torch.tensor([[float(x) for x in line.split()] for line in row["weights"]])
        assert weights.shape == (len(ids), 6)
        assert (weights.sum(1) < 1.001).all()
        assert row["checked"] == ([] if len(ids) == 1 else row["checked"])
        assert all(token > 0 for token in row["checked"]), "the first token of a caption cannot be checked"
        assert set(row["drops"]) == (set(MASKED) if row["checked"] else set())
    assert explained(vlm, "caption") == content


def test_answers_are_explained_each_with_another_question(vlm: VisionLanguageModel) -> None:
    content = explained(vlm, "vqa", images=40)
    assert [row["image_id"] for row in content["images"]] == list(range(6))
    assert [row["question"] for row in content["images"]] == 2 * ["what 0?", "what 1?", "what 2?"]
    assert content["images"][1]["tokens"] == content["images"][1]["weights"] == []  # an empty answer
    assert all(row["drops"] for row in content["images"] if row["text"])


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_cross_attention_is_explained_too(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, task: str
) -> None:
    monkeypatch.setattr(trainable, "PROJECTOR", trainable.PROJECTOR.model_copy(update={"fusion": "cross"}))
    content = explained(request.getfixturevalue("vlm"), task)
    assert not content["sink"]
    for row in content["images"]:
        weights = torch.tensor([[float(x) for x in line.split()] for line in row["weights"]])
        torch.testing.assert_close(weights.sum(1), torch.ones(len(row["tokens"])), atol=1e-3, rtol=0)
        assert set(row["drops"]) == set(MASKED)  # the first token can be checked too


def test_a_choice_changes_the_weights_and_another_seed_the_random_tokens(vlm: VisionLanguageModel) -> None:
    first, second = explained(vlm, "caption", layers=[0]), explained(vlm, "caption", seed=1)
    whole = explained(vlm, "caption")
    assert first["images"][0]["weights"] != whole["images"][0]["weights"] == second["images"][0]["weights"]
    differ = {name for ours, other in zip(whole["images"], second["images"], strict=True)
              for name in ours["drops"] if ours["drops"][name] != other["drops"][name]}
    assert differ == {"random"}


@pytest.mark.parametrize(("change", "message"), [
    ({"layers": [0, 2]}, "attention.layers holds 2; the decoder's layers are 0 to 1"),
    ({"heads": [-1]}, "attention.heads holds -1; the decoder's heads are 0 to 3"),
])
def test_a_layer_or_head_that_is_not_there_is_named(
    vlm: VisionLanguageModel, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        explained(vlm, "caption", **change)
