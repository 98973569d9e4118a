"""The cache of keys and values under a beam search: in-place moves give what a fresh copy gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vltune.model.attention import Cache, attend
from vltune.prediction.generate import _without_gaps

PROMPT, STEPS, BEAMS, INPUTS, HEADS, WIDTH, PREFIX = 3, 4, 2, 3, 2, 4, 2


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def filled(prefix: int, fan_out: int) -> Cache:
    """A cache of two layers with a prompt of each input, and a token of each of its rows."""
    cache = Cache(PROMPT + STEPS)
    for layer in range(2):
        keys = random(INPUTS, HEADS, prefix + PROMPT, WIDTH, seed=layer)
        cache.extend(layer, keys, -keys, prefix)
    images = random(INPUTS, HEADS, 5, WIDTH, seed=7)
    cache.images = [(images, -images)]
    cache.length = PROMPT
    cache = cache.repeated(fan_out, PROMPT + STEPS) if fan_out > 1 else cache
    for layer in range(2):
        keys = random(INPUTS * fan_out, HEADS, 1, WIDTH, seed=10 + layer)
        cache.extend(layer, keys, -keys, prefix)
    cache.length += 1
    return cache


# Rows of two beams an input: swapped, doubled, the last input in the rows of the first, the others unmoved.
ROWS = [[1, 0, 2, 3, 4, 5], [0, 0, 3, 3, 5, 4], [5, 4, 2, 2], [4, 5, 3, 2], [2, 3], []]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("prefix", [0, PREFIX])
def test_rows_are_selected_in_place(rows: list[int], prefix: int) -> None:
    cache, chosen = filled(prefix, BEAMS), torch.tensor(rows, dtype=torch.int64)
    copy = cache.taken(chosen, cache.capacity)
    cache.select(chosen)
    end = prefix + cache.length
    for ours, plain in zip([*cache.layers, *cache.images], [*copy.layers, *copy.images], strict=True):
        for store, expected in zip(ours, plain, strict=True):
            assert torch.equal(store[:, :end], expected[:, :end])
    if rows:
        keys = random(len(rows), HEADS, 1, WIDTH, seed=20)
        held, _ = cache.extend(0, keys, keys, prefix)
        assert torch.equal(held[:, :, -1:], keys)
        assert held.shape == (len(rows), HEADS, end + 1, WIDTH)


def test_rows_without_groups_are_selected_whole() -> None:
    cache = filled(0, 1)
    before = cache.layers[0][0].clone()
    cache.select(torch.tensor([2, 0]))
    assert torch.equal(cache.layers[0][0][:, :PROMPT + 1], before[[2, 0], :PROMPT + 1])


def test_the_last_inputs_take_the_places_of_finished_ones() -> None:
    for still_open, expected in [
        ([True, True], [0, 1]), ([False, True, True], [2, 1]), ([True, False, True, False, True], [0, 4, 2]),
        ([False, False], []), ([False, True, False], [1]),
    ]:
        assert _without_gaps(torch.tensor(still_open)).tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_of_one_token_is_that_of_torch(dtype: torch.dtype) -> None:
    """The heads of a group are read as so many tokens; some keys are hidden from a row."""
    q, k, v = random(3, 6, 1, 8, seed=0), random(3, 2, 5, 8, seed=1), random(3, 2, 5, 8, seed=2)
    q, k, v = (part.to(dtype) for part in (q, k, v))
    bias = torch.zeros(3, 1, 1, 5, dtype=dtype)
    bias[1, ..., :2] = float("-inf")
    torch.testing.assert_close(
        attend(q, k, v, bias), F.scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=True))
