"""The recorded attention is the one that the decoder computes with, with every method, and nothing else
changes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from forced import FEATURES, TEXTS, attached
from vltune.data.batch import collate
from vltune.methods import interface
from vltune.model.cross_attention import GatedCrossAttention
from vltune.prediction import attention
from vltune.prediction.attention import Recorder, check_sums, force, on_image

by_method = pytest.mark.parametrize("method", interface.names())


class Outputs(TorchFunctionMode):
    """Keeps the values and the output of every call of the attention kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func is F.scaled_dot_product_attention:
            self.calls.append((args[2], output))
        return output


@by_method
@torch.no_grad()
def test_weights_times_values_are_the_output_of_the_fused_kernel(tiny: Path, method: str) -> None:
    vlm = attached(tiny, method)
    x = force(vlm, FEATURES, TEXTS).x
    positions = torch.arange(x.shape[1]).expand(len(x), -1)
    with Outputs() as outputs:
        attention.read(vlm.decoder, x, positions)
    assert len(outputs.calls) == len(vlm.decoder.blocks)
    for head in range(vlm.decoder.config.heads):
        with Recorder([head]) as recorder:
            attention.read(vlm.decoder, x, positions)
        for weights, (values, output) in zip(recorder.layers, outputs.calls, strict=True):
            group = head * values.shape[1] // output.shape[1]
            torch.testing.assert_close(weights @ values[:, group], output[:, head], atol=1e-6, rtol=1e-5)


@by_method
def test_the_second_pass_is_the_ordinary_forward(tiny: Path, method: str) -> None:
    vlm = attached(tiny, method)
    forced = force(vlm, FEATURES, TEXTS)
    weights, scores = attention.attention(vlm, forced, [], [])
    batch = collate([[text] for text in TEXTS], vlm.image_tokens)
    with torch.no_grad():
        logits = vlm(FEATURES, batch.tokens, batch.positions, batch.mask, batch.sources)
    expected = logits.log_softmax(-1).gather(1, batch.labels[:, None])[:, 0]
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
    assert forced.target.tolist() == batch.labels.tolist() == [3, 77, 20, 8, 1, 40, 6, 2]
    torch.testing.assert_close(weights.sum(1), torch.ones(8), atol=1e-5, rtol=0)
    prefix = vlm.decoder.blocks[0].attention.prefix.length
    assert weights.shape == (8, prefix + forced.x.shape[1])
    own = on_image(weights, forced)
    assert own.shape == (8, 4 + 2)
    start = prefix + vlm.decoder.prompt.length
    assert torch.equal(own, weights[:, start:start + 6])
    # the first token of a caption is predicted by the last image token, which sees no text
    before = weights[:, :start].sum(1)
    torch.testing.assert_close((before + own.sum(1))[[3, 4]], torch.ones(2), atol=1e-5, rtol=0)
    assert (before + own.sum(1))[5] < 1


def test_a_text_has_the_same_attention_alone_and_in_a_batch(tiny: Path) -> None:
    vlm = attached(tiny, "lora")
    together = force(vlm, FEATURES, TEXTS)
    weights, scores = attention.attention(vlm, together, [1], [0, 3])
    for i, text in enumerate(TEXTS):
        alone = force(vlm, FEATURES[i:i + 1], [text])
        own, own_scores = attention.attention(vlm, alone, [1], [0, 3])
        rows = together.rows == i
        torch.testing.assert_close(own_scores, scores[rows], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(own, weights[rows][:, :own.shape[1]], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt"])
@torch.no_grad()
def test_with_cross_attention_the_weights_are_its_own(tiny: Path, method: str) -> None:
    vlm = attached(tiny, method, "cross")
    forced = force(vlm, FEATURES, TEXTS)
    softmaxes: list[torch.Tensor] = []

    def weigh(layer: GatedCrossAttention, given: tuple) -> None:
        x, (keys, _) = given
        q = layer.q(layer.norm(x)).unflatten(-1, (layer.heads, layer.head_dim)).transpose(1, 2)
        softmaxes.append((q @ keys.mT / layer.head_dim**0.5).softmax(-1))  # [b, h, t, m]

    hooks = [layer.register_forward_pre_hook(weigh) for layer in vlm.cross.layers]
    weights, _ = attention.attention(vlm, forced, [], [])
    for hook in hooks:
        hook.remove()
    expected = torch.stack(softmaxes).mean((0, 2))[forced.rows, forced.queries]
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(on_image(weights, forced), weights)
    assert weights.shape == (8, 4 + 2)
    torch.testing.assert_close(weights.sum(1), torch.ones(8), atol=1e-5, rtol=0)
    single, _ = attention.attention(vlm, forced, [1], [3])
    torch.testing.assert_close(
        single, softmaxes[1][:, 3][forced.rows, forced.queries], atol=1e-6, rtol=1e-5)
    assert not vlm.sink


def test_layers_and_heads_are_chosen(tiny: Path) -> None:
    vlm = attached(tiny, "prefix")
    forced = force(vlm, FEATURES, TEXTS)
    layers, heads = range(vlm.decoder.config.layers), range(vlm.decoder.config.heads)
    every, _ = attention.attention(vlm, forced, [], [])
    single = {(i, j): attention.attention(vlm, forced, [i], [j])[0] for i in layers for j in heads}
    torch.testing.assert_close(torch.stack(list(single.values())).mean(0), every)
    assert not torch.allclose(single[0, 0], single[1, 0], atol=1e-3)
    some, _ = attention.attention(vlm, forced, [0, 1], [2])
    torch.testing.assert_close((single[0, 2] + single[1, 2]) / 2, some)


@torch.no_grad()
def test_recording_changes_no_bit_and_no_other_thread(tiny: Path) -> None:
    vlm = attached(tiny, "lora")
    x = force(vlm, FEATURES, TEXTS).x
    positions = torch.arange(x.shape[1]).expand(len(x), -1)
    before = attention.read(vlm.decoder, x, positions)
    with Recorder([]) as recorder:
        during = attention.read(vlm.decoder, x, positions)
        other = threading.Thread(target=lambda: attention.read(vlm.decoder, x, positions))
        other.start()
        other.join()
    assert len(recorder.layers) == len(vlm.decoder.blocks)
    assert torch.equal(before, during)
    assert torch.equal(before, attention.read(vlm.decoder, x, positions))
    assert len(recorder.layers) == len(vlm.decoder.blocks)


@pytest.mark.parametrize("change", [0.001, -0.001, float("nan")])
def test_weights_that_do_not_sum_to_one_are_refused(change: float) -> None:
    weights = torch.full((2, 3, 4), 0.25)
    check_sums(weights)
    check_sums(weights[:0])
    weights[1, 2, 3] += change
    with pytest.raises(ArithmeticError, match="differ from a sum of 1"):
        check_sums(weights)


def test_an_attention_that_is_not_torchs_kernel_is_noticed(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vlm = attached(tiny, "lora")
    monkeypatch.setattr("vltune.model.attention.attend", lambda q, *_: q)
    with pytest.raises(RuntimeError, match="recorded 0 of 2 layers"):
        attention.attention(vlm, force(vlm, FEATURES, TEXTS), [], [])
