"""Gated cross-attention: closed it changes nothing, open every token sees the whole image, and it trains and
is saved with the projector."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import trainable
from vltune.data.batch import Text, collate
from vltune.methods import checkpoint, interface
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.files import read_json
from vltune.prediction.answer import answer
from vltune.prediction.generate import generate
from vltune.training.align import ProjectorSettings
from vltune.training.train import train_stage

TEXTS = [[Text((), (5, 9, 3)), Text((7, 8), (4, 2))], [Text((), (11, 2)), Text((6,), (1, 2))]]
FEATURES = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def vlm(tiny: Path) -> VisionLanguageModel:
    """A model of 4 features and 2 tags with a random projector; its gates are closed."""
    made = checkpoint.build(tiny / "decoder", 4, 32, 5, 2, torch.float32, fusion="cross").eval()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.projector.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
        made.cross.initialise(made.decoder.embedding.weight[2], rng)
        for layer in made.cross.layers:
            layer.gate.zero_()
            layer.norm.weight.fill_(1)
    return made.requires_grad_(False)


def opened(vlm: VisionLanguageModel) -> VisionLanguageModel:
    for layer in vlm.cross.layers:
        layer.gate.fill_(0.7)
    return vlm


def scored(vlm: VisionLanguageModel, features: torch.Tensor) -> torch.Tensor:
    batch = collate(TEXTS, vlm.image_tokens)
    return vlm(features, batch.tokens, batch.positions, batch.mask, batch.sources)


def alone(vlm: VisionLanguageModel, text: Text) -> torch.Tensor:
    """The logits of a text's target by the decoder without any image: start, then the text."""
    vars(vlm.decoder)["fusion"] = None
    ids = torch.tensor([[2, *text.prompt, *text.target]])
    t = ids.shape[1]
    mask = torch.ones(t, t, dtype=torch.bool).tril()[None, None]
    hidden = vlm.decoder(vlm.decoder.embed(ids, torch.float32), torch.arange(t)[None], mask)
    logits = vlm.decoder.logits(hidden)
    vars(vlm.decoder)["fusion"] = vlm.cross
    return logits[0, len(text.prompt):-1]


def test_a_closed_gate_leaves_the_pretrained_decoder(vlm: VisionLanguageModel) -> None:
    expected = torch.cat([alone(vlm, text) for row in TEXTS for text in row])
    torch.testing.assert_close(scored(vlm, FEATURES), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(scored(opened(vlm), FEATURES), expected, atol=1e-2)


def test_the_first_token_sees_the_whole_image(vlm: VisionLanguageModel) -> None:
    """A causal mask over the image would let it see the first image token alone."""
    opened(vlm)
    images = vlm.embed_images(FEATURES)
    assert images.shape == (2, 4 + 2 + 1, 32)
    for column in range(6):
        changed = images.clone()
        changed[:, column] += 1
        positions, mask = torch.arange(7).expand(2, 7), torch.ones(7, 7).tril().bool().expand(2, 1, 7, 7)
        first = [vlm.decoder(x, positions, mask) for x in (images, changed)]
        assert not torch.allclose(first[0][:, -1], first[1][:, -1], atol=1e-4), column


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("prompted", [False, True])
def test_batched_generation_is_that_one_by_one_without_a_cache(
    vlm: VisionLanguageModel, beams: int, prompted: bool
) -> None:
    if prompted:
        interface.attach(vlm.decoder, trainable.settings_of("prompt"), torch.Generator().manual_seed(3))
    opened(vlm)

    def captions(features: torch.Tensor) -> list[list[int]]:
        x = vlm.embed_images(features)
        return generate(vlm.decoder, x, torch.ones(x.shape[:2], dtype=torch.bool), 2, beams, 1.0, 6)

    together = captions(FEATURES)
    assert together == [captions(FEATURES[i:i + 1])[0] for i in range(2)]
    assert together[0] != together[1]
    if beams == 1:
        for i, ids in enumerate(together):
            batch = collate([[Text((), (*ids, 2)[:6])]], vlm.image_tokens)
            logits = vlm(FEATURES[i:i + 1], batch.tokens, batch.positions, batch.mask, batch.sources)
            assert logits.argmax(-1).tolist()[:len(ids)] == ids


def test_questions_share_an_image_in_the_cache(vlm: VisionLanguageModel, tiny: Path) -> None:
    from vltune.data.tokenizer import Tokenizer

    opened(vlm)
    tokenizer = Tokenizer(tiny / "decoder")
    asked = [["what?", "is it red?"], ["who is it?"]]
    together = answer(vlm, FEATURES, asked, tokenizer, max_new_tokens=4)
    single = [answer(vlm, FEATURES[i:i + 1], [[text]], tokenizer, max_new_tokens=4)
              for i, group in enumerate(asked) for text in group]
    assert [text for group in together for text in group] == [text for [[text]] in single]


@pytest.mark.parametrize("method", ["lora", "connector", "prefix", "prompt"])
def test_it_trains_and_is_restored(
    method: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit of a training fails where a tensor gets no gradient, or a frozen one changes."""
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny, ProjectorSettings(kind="words", start="ridge", fusion="cross", prompt="none"))
    train_stage(method, trainable.settings_of(method), "caption", 0, trainable.TRAIN, None)
    folder = paths.checkpoint(method, "caption", 0)
    description = read_json(folder / "checkpoint.json")
    start = read_json(paths.checkpoint(paths.START, "caption", 0) / "checkpoint.json")
    assert description["projector_parameters"] == start["projector_parameters"]
    base = checkpoint.base_of(paths.DECODER, trainable.SIGNATURE)
    vlm = checkpoint.load(folder, paths.DECODER, base, torch.float32)
    d, inner, layers = 32, 32, 2  # the sizes of the tiny decoder, whose 4 heads are 8 wide
    assert sum(p.numel() for p in vlm.cross.parameters()) == layers * (4 * d * inner + d + 1) + d
    assert all(layer.gate.abs() > 0 for layer in vlm.cross.layers)
    assert not any("cross" in name or "fusion" in name for name, _ in vlm.decoder.named_parameters())
