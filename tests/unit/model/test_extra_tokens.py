"""Features that are no cells of the grid: image tokens of their own, which change no other."""

from __future__ import annotations

import torch

from vltune.model.word_projector import WordProjector as Projector

CELLS, EXTRAS, TAGS, WIDTH = 4, 2, 3, 8


def test_an_extra_token_changes_neither_cells_nor_tags() -> None:
    rng = torch.Generator().manual_seed(0)
    projector = Projector(WIDTH, 5, 6, CELLS + EXTRAS, TAGS, EXTRAS)
    for parameter in projector.parameters():
        torch.nn.init.normal_(parameter, generator=rng)
    features = torch.randn(2, CELLS + EXTRAS, WIDTH, generator=rng)
    changed = features.clone()
    changed[:, CELLS:] = 5 * torch.randn(2, EXTRAS, WIDTH, generator=rng)
    before, after = projector(features), projector(changed)
    assert before.shape == (2, CELLS + EXTRAS + TAGS, 6) == (2, projector.tokens, 6)
    same = (before == after).all(-1)
    assert same[:, :CELLS].all()
    assert same[:, CELLS + EXTRAS:].all()
    assert not same[:, CELLS:CELLS + EXTRAS].any()


def test_cells_and_tags_are_those_of_a_projector_without_extra_tokens() -> None:
    rng = torch.Generator().manual_seed(1)
    plain, more = Projector(WIDTH, 5, 6, CELLS, TAGS), Projector(WIDTH, 5, 6, CELLS + EXTRAS, TAGS, EXTRAS)
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, generator=rng)
    kept = [*range(CELLS), *range(CELLS + EXTRAS, CELLS + EXTRAS + TAGS)]
    position = torch.zeros_like(more.position)
    position[kept] = plain.position.detach()
    more.load_state_dict(plain.state_dict() | {"position": position})
    features = torch.randn(2, CELLS + EXTRAS, WIDTH, generator=rng)
    torch.testing.assert_close(more(features)[:, kept], plain(features[:, :CELLS]))
