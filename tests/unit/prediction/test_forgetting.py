"""What is forgotten is a divergence as torch computes it: none of the base, more the further it is moved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from repository import RATES, SETTINGS
from vltune.data.batch import Text
from vltune.data.tokenizer import Tokenizer
from vltune.methods import interface
from vltune.model.decoder import Decoder
from vltune.model.loading import load_decoder, share
from vltune.pipeline.params import check
from vltune.prediction import forgetting
from vltune.prediction.forgetting import Costs, base_texts, divergence, sample

TEXTS = [Text((5, 6), (7, 8, 9)), Text((3,), (4,)), Text((9, 8, 7, 6), (5, 4))]
COSTS = Costs(prompts=5, tokens=6, seed=0, timed_images=1)


@pytest.fixture(scope="module")
def base(tiny: Path) -> Decoder:
    return load_decoder(tiny / "decoder")


def tuned(base: Decoder, method: str, scale: float = 0.2) -> Decoder:
    """A decoder with a method's parameters, moved off their start."""
    decoder = share(base)
    settings = check(interface.method(method), method, RATES | SETTINGS[method])
    rng = torch.Generator().manual_seed(0)
    names = interface.attach(decoder, settings, rng)
    with torch.no_grad():
        for parameter in interface.trained_parameters(decoder, names).values():
            moved = parameter + scale * torch.randn(parameter.shape, generator=rng)
            parameter.data = moved
    return decoder


def total(values: list[list[float]]) -> float:
    """The sum over all tokens of all texts."""
    return sum(map(sum, values))


@torch.no_grad()
def distributions(decoder: Decoder, text: Text) -> torch.Tensor:
    """Log-probabilities [q, v] of the tokens of a target, of a text that is read alone."""
    x = decoder.prompt(decoder.embed(torch.tensor([[*text.prompt, *text.target]]), torch.float32))
    t = x.shape[1]
    hidden = decoder(x, torch.arange(t)[None], torch.ones(1, 1, t, t, dtype=torch.bool).tril())
    first = decoder.prompt.length + len(text.prompt) - 1
    return decoder.logits(hidden)[0, first:first + len(text.target)].log_softmax(-1)


@pytest.mark.parametrize("method", interface.names())
def test_it_is_the_divergence_of_torch(base: Decoder, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 2)
    monkeypatch.setattr(forgetting, "PORTION", 2)
    decoder = tuned(base, method)
    values = divergence(decoder, base, TEXTS, torch.float32)
    assert [len(own) for own in values] == [3, 1, 2]
    for text, own in zip(TEXTS, values, strict=True):
        expected = F.kl_div(distributions(decoder, text), distributions(base, text), reduction="none",
                            log_target=True).sum(-1)
        torch.testing.assert_close(torch.tensor(own), expected, atol=1e-5, rtol=1e-4)
        assert method == "connector" or min(own) > 0


def test_a_decoder_that_is_not_trained_forgets_exactly_nothing(base: Decoder) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        plain = share(base).to(dtype)
        values = divergence(tuned(plain, "connector"), plain, TEXTS, dtype)
        assert {value for own in values for value in own} == {0.0}


def test_it_grows_with_the_perturbation(base: Decoder) -> None:
    sums = [total(divergence(tuned(base, "full", scale), base, TEXTS, torch.float32))
            for scale in (0.003, 0.01, 0.03)]
    assert 0 < sums[0] < sums[1] < sums[2]


def test_cross_attention_takes_no_part_and_is_put_back(base: Decoder) -> None:
    decoder = share(base)
    vars(decoder)["fusion"] = fusion = object()
    assert total(divergence(decoder, base, TEXTS, torch.float32)) == 0
    assert decoder.fusion is fusion


def test_the_texts_repeat_and_follow_the_prompts(base: Decoder, tiny: Path) -> None:
    tokenizer = Tokenizer(tiny / "decoder")
    texts = base_texts(base, tokenizer, COSTS, torch.float32)
    assert texts == base_texts(base, tokenizer, COSTS, torch.float32)
    assert texts != base_texts(base, tokenizer, COSTS.model_copy(update={"seed": 1}), torch.float32)
    lines = forgetting.PROMPTS.read_text().splitlines()
    assert [tokenizer.decode(text.prompt) for text in texts] == lines[:5]
    assert {len(text.target) for text in texts} == {6}
    assert len(lines) == len(set(lines)) == 64


def test_draws_follow_the_distribution_without_the_end(
    base: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    draw = torch.multinomial
    monkeypatch.setattr(torch, "multinomial", lambda p, n, **more: (seen.append(p), draw(p, n, **more))[1])
    prompts = [(5, 6, 7), (4,)]
    drawn = sample(base, prompts, 3, 9, torch.float32, torch.Generator().manual_seed(0))
    for row, (prompt, own) in enumerate(zip(prompts, drawn, strict=True)):
        expected = distributions(base, Text(prompt, own)).exp()
        expected[:, 9] = 0
        found = torch.stack([step[row] for step in seen])
        torch.testing.assert_close(found, expected / expected.sum(-1, keepdim=True), atol=1e-5, rtol=1e-4)
