"""The closed-form start: it finds the words' directions, for small things as well as for the background."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from vltune.data.words import Words
from vltune.model.connector import Connector
from vltune.training import align

IMAGES, TOKENS, WIDTH, THINGS, COLOURS = 400, 9, 40, 12, 6


class Drawn:
    """Features of images in which one token of nine shows a thing and the others the background's colour."""

    def __init__(self, chance: torch.Generator) -> None:
        looks = 3 * torch.randn(THINGS + COLOURS, WIDTH, generator=chance)
        self.thing = torch.randint(THINGS, (IMAGES,), generator=chance)
        self.colour = torch.randint(COLOURS, (IMAGES,), generator=chance) + THINGS
        self.place = torch.randint(TOKENS, (IMAGES,), generator=chance)
        tokens = looks[self.colour][:, None].repeat(1, TOKENS, 1)
        tokens[torch.arange(IMAGES), self.place] = looks[self.thing]
        self.tokens = (tokens + 0.3 * torch.randn(tokens.shape, generator=chance)).half().numpy()
        self.width, self.row = WIDTH, {i: i for i in range(IMAGES)}

    def take(self, ids: list[int]) -> object:
        return self.tokens[ids]


def started() -> tuple[Drawn, torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    drawn = Drawn(chance)
    words = Words([f"word{i}" for i in range(THINGS + COLOURS)], list(range(IMAGES)),
                  [{thing: 0.7, colour: 0.3} for thing, colour in zip(drawn.thing.tolist(), drawn.colour.tolist(), strict=True)])
    embeddings = torch.randn(THINGS + COLOURS, 32, generator=chance) + 5  # all words share a direction, as in a real table
    connector = Connector(WIDTH, 32, TOKENS)
    align.start(connector, drawn, words, embeddings, 2.0, 0.01, IMAGES)
    mapped = connector.projector(F.layer_norm(torch.from_numpy(drawn.tokens).float(), (WIDTH,))).detach()
    return drawn, mapped, F.normalize(embeddings - embeddings.mean(0), dim=-1)


def test_a_token_points_to_the_word_of_what_it_shows() -> None:
    drawn, mapped, words = started()
    things = mapped[torch.arange(IMAGES), drawn.place] @ words[:THINGS].T
    assert (things.argmax(1) == drawn.thing).float().mean() > 0.95
    elsewhere = mapped[torch.arange(IMAGES), (drawn.place + 1) % TOKENS] @ words[THINGS:].T
    assert (elsewhere.argmax(1) + THINGS == drawn.colour).float().mean() > 0.95


def test_image_tokens_have_the_asked_spread_around_zero() -> None:
    _, mapped, _ = started()
    torch.testing.assert_close(mapped.std(), torch.tensor(2.0), rtol=1e-3, atol=0)
    assert mapped.mean((0, 1)).abs().max() < 0.05


def test_an_image_of_equal_tokens_gives_numbers() -> None:
    assert align._things(torch.ones(2, 4, 3)).equal(torch.ones(2, 3))
