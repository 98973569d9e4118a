"""What the check masks, and what it makes of an attribution that is right, or wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from forced import FEATURES, TEXTS, attached
from vltune.data.batch import Text
from vltune.methods import interface
from vltune.model.attention import attend
from vltune.model.cross_attention import Fusion
from vltune.model.vision_language import VisionLanguageModel
from vltune.prediction import attention, faithfulness
from vltune.prediction.attention import Forced, force, log_probabilities
from vltune.prediction.faithfulness import MASKED, check

IMAGE_TOKENS = 6
by_method = pytest.mark.parametrize("method", interface.names())


@by_method
@torch.no_grad()
def test_a_removed_token_is_a_key_that_nobody_sees(tiny: Path, method: str) -> None:
    vlm = attached(tiny, method)
    forced = force(vlm, FEATURES, TEXTS)
    chosen, masked = torch.tensor([0, 2, 5, 7]), torch.tensor([[1, 4], [2, 3], [5, 1], [3, 4]])
    removed = faithfulness.masked_log_probabilities(vlm, forced, chosen, masked)
    x = forced.x[forced.rows[chosen]]
    t = x.shape[1]
    mask = torch.ones(t, t, dtype=torch.bool).tril().repeat(4, 1, 1, 1)
    for row, tokens in enumerate(masked.tolist()):
        for token in tokens:
            mask[row, 0, :, forced.image.start + token] = False
            mask[row, 0, forced.image.start + token, forced.image.start + token] = True  # no empty row
    hidden = vlm.decoder(x, torch.arange(t).expand(4, t), mask)[torch.arange(4), forced.queries[chosen]]
    expected = log_probabilities(vlm.decoder, hidden, forced.target[chosen])
    torch.testing.assert_close(removed, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt"])
@torch.no_grad()
def test_with_cross_attention_a_removed_token_is_a_key_that_nobody_sees(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    vlm = attached(tiny, method, "cross")
    forced = force(vlm, FEATURES, TEXTS)
    chosen, masked = torch.tensor([0, 2, 3, 7]), torch.tensor([[1, 4], [2, 3], [5, 0], [3, 4]])
    removed = faithfulness.masked_log_probabilities(vlm, forced, chosen, masked)
    bias = torch.zeros(4, 1, 1, IMAGE_TOKENS).scatter_(3, masked[:, None, None], float("-inf"))
    monkeypatch.setattr(
        "vltune.model.cross_attention.attend", lambda q, k, v, everywhere: attend(q, k, v, everywhere + bias))
    x = forced.x[forced.rows[chosen]]
    hidden = attention.read(vlm.decoder, x, torch.arange(x.shape[1]).expand(4, -1))
    expected = log_probabilities(
        vlm.decoder, hidden[torch.arange(4), forced.queries[chosen]], forced.target[chosen])
    torch.testing.assert_close(removed, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("method", "fusion"), [
    *((name, "tokens") for name in interface.names()), ("lora", "cross"), ("prompt", "cross")])
def test_the_gradient_is_that_of_finite_differences(tiny: Path, method: str, fusion: Fusion) -> None:
    vlm = attached(tiny, method, fusion)
    single = force(vlm, FEATURES, TEXTS)
    vlm.double()
    forced = Forced(single.x.double(), single.image, single.rows, single.queries, single.target)
    token, position, step = 6, forced.image.start + 3, 1e-5
    scores = faithfulness.gradient_times_input(vlm, forced, torch.tensor([1, token]))
    assert scores.shape == (2, IMAGE_TOKENS)
    assert all(parameter.grad is None for parameter in vlm.parameters())
    own = forced.x[forced.rows[token]]
    shifts = step * torch.eye(own.shape[1], dtype=torch.float64)
    x = own.repeat(2 * len(shifts), 1, 1)
    x[:, position] += torch.cat((shifts, -shifts))
    with torch.no_grad():
        hidden = attention.read(vlm.decoder, x, torch.arange(x.shape[1]).expand(len(x), -1))
        values = vlm.decoder.logits(hidden[:, forced.queries[token]]).log_softmax(-1)[:, forced.target[token]]
    above, below = values.chunk(2)
    expected = ((above - below) / (2 * step) * own[position]).norm().float()
    torch.testing.assert_close(scores[1, 3], expected, atol=1e-6, rtol=1e-3)


@torch.no_grad()
def test_the_checked_tokens_depend_most_on_the_image(tiny: Path) -> None:
    vlm = attached(tiny, "lora")
    forced = force(vlm, FEATURES, TEXTS)
    _, unmasked = attention.attention(vlm, forced, [], [])
    _, other = attention.attention(vlm, force(vlm, FEATURES.roll(1, 0), TEXTS), [], [])
    drops = (unmasked - other).tolist()
    best = [max(own, key=lambda i: drops[i]) for own in ([0, 1, 2], [5, 6, 7])]
    assert faithfulness.most_dependent(vlm, forced, unmasked, 1).tolist() == best
    # the caption of one token has none, and the first token of the other caption (4) is never taken
    assert faithfulness.most_dependent(vlm, forced, unmasked, 9).tolist() == [0, 1, 2, 5, 6, 7]


def checked(
    vlm: VisionLanguageModel, monkeypatch: pytest.MonkeyPatch, share: float = 0.4
) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """Check attention that is the importance of each image token, and gradients that are its opposite."""
    importance = torch.tensor([50.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    seen: list[torch.Tensor] = []

    def after(*arguments: Any) -> torch.Tensor:
        seen.append(arguments[-1])
        return -1 - importance[seen[-1]].sum(1)

    def opposite(*arguments: Any) -> torch.Tensor:
        return (-importance).expand(len(arguments[-1]), -1)

    monkeypatch.setattr(faithfulness, "masked_log_probabilities", after)
    monkeypatch.setattr(faithfulness, "gradient_times_input", opposite)
    forced = force(vlm, FEATURES, TEXTS)
    weights = importance.expand(len(forced.target), -1)
    generator = torch.Generator().manual_seed(0)
    result = check(vlm, forced, weights, torch.full((len(forced.target),), -1.0), 1, share, generator)
    assert len(result.tokens) == 2
    return dict(zip(MASKED, result.drops.T, strict=True)), seen


def test_right_and_wrong_attributions_are_told_apart(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drops, seen = checked(attached(tiny, "lora"), monkeypatch)
    assert drops["attention_highest"].tolist() == [9, 9]  # 4 + 5: two of the five that are ranked
    assert drops["attention_lowest"].tolist() == [3, 3]
    assert drops["attention_elsewhere"].tolist() == [9, 9]
    assert drops["gradient_highest"].tolist() == [3, 3]
    assert drops["gradient_lowest"].tolist() == [9, 9]
    assert all(3 <= drop <= 9 for drop in drops["random"].tolist())
    assert (seen[0] > 0).all(), "the first position of the row was masked"
    assert seen[0].shape == (len(MASKED) * 2, 2)


def test_behind_a_prompt_every_image_token_is_ranked(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drops, seen = checked(attached(tiny, "prompt"), monkeypatch, share=1.0)
    assert {tuple(sorted(row)) for row in seen[0].tolist()} == {tuple(range(IMAGE_TOKENS))}
    assert drops["attention_highest"].tolist() == [65, 65]


@torch.no_grad()
def test_with_cross_attention_every_token_of_a_text_and_of_the_image_takes_part(tiny: Path) -> None:
    vlm = attached(tiny, "lora", "cross")
    forced = force(vlm, FEATURES, TEXTS)
    weights, unmasked = attention.attention(vlm, forced, [], [])
    assert faithfulness.most_dependent(vlm, forced, unmasked, 9).tolist() == list(range(8))
    result = check(vlm, forced, weights, unmasked, 1, 1.0, torch.Generator())
    drops = result.drops.T
    assert drops.abs().min() > 0
    assert all(torch.equal(drops[0], same) for same in drops[1:]), "all image tokens are masked each time"


def test_texts_without_a_token_to_check_have_no_drops(tiny: Path) -> None:
    vlm = attached(tiny, "lora")
    forced = force(vlm, FEATURES, [Text((), ()), Text((), (4,)), Text((), ())])
    weights, unmasked = attention.attention(vlm, forced, [], [])
    result = check(vlm, forced, attention.on_image(weights, forced), unmasked, 1, 0.5, torch.Generator())
    assert result.tokens.tolist() == []
    assert result.drops.shape == (0, len(MASKED))
