"""The recorded attention against transformers' `output_attentions=True`, for the same weights and tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reference.test_decoder import FAMILIES, saved
from vltune.model.loading import load_decoder
from vltune.prediction.attention import Recorder, read

TOKENS = torch.randint(0, 101, (3, 17), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_attention_equals_the_reference(tmp_path: Path, family: str) -> None:
    reference = saved(tmp_path, family, tied=True)
    reference.set_attn_implementation("eager")
    theirs = reference(TOKENS, output_attentions=True).attentions
    decoder = load_decoder(tmp_path)
    x, positions = decoder.embed(TOKENS, torch.float32), torch.arange(17).expand(3, 17)
    for heads in ([], [0], [1, 3]):
        with Recorder(heads) as recorder:
            read(decoder, x, positions)
        assert len(recorder.layers) == len(theirs) == 3
        for ours, weights in zip(recorder.layers, theirs, strict=True):
            expected = (weights[:, heads] if heads else weights).mean(1)
            torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)
