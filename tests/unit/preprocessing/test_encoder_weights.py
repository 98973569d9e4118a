"""A model that is about to be filled from a file draws no initial weights, and keeps what it computes for
itself."""

from __future__ import annotations

from vltune.preprocessing.encoder import _without_weights

SMALL = {"depth": 1, "embed_dim": 64, "num_heads": 2}


def test_parameters_are_not_drawn() -> None:
    vit = _without_weights("vit_tiny_patch16_224", SMALL, {})
    assert all(parameter.is_meta for parameter in vit.parameters())


def test_computed_tables_are_there() -> None:
    # its rotary table is a buffer that no file holds
    vit = _without_weights("eva02_tiny_patch14_224", SMALL, {})
    assert dict(vit.named_buffers())
    assert not any(tensor.is_meta for tensor in [*vit.buffers(), *vit.parameters()])
