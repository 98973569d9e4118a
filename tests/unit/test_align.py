"""The closed-form start: it finds the words' directions, for small things as well as for the background."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from vltune.data.words import Words
from vltune.model.connector import Connector
from vltune.training import align

IMAGES, TOKENS, WIDTH, THINGS, COLOURS = 400, 9, 40, 12, 6
PLACES = THINGS + COLOURS  # the first word that says where the thing is


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


def started() -> tuple[Drawn, torch.Tensor, torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    drawn = Drawn(chance)
    said = zip(drawn.thing.tolist(), drawn.colour.tolist(), drawn.place.tolist(), strict=True)
    words = Words([f"word{i}" for i in range(PLACES + TOKENS)], list(range(IMAGES)),
                  [{thing: 0.6, colour: 0.3, PLACES + place: 0.1} for thing, colour, place in said])
    embeddings = torch.randn(PLACES + TOKENS, 32, generator=chance) + 5  # all words share a direction, as in a real table
    embeddings[THINGS:PLACES] = embeddings[THINGS] + 0.4 * embeddings[THINGS:PLACES]  # and those of colours are much alike
    connector = Connector(WIDTH, 32, TOKENS)
    align.start(connector, drawn, words, embeddings, 2.0, 0.3, 0.01, 1.0, IMAGES)
    mapped = connector.projector(F.layer_norm(torch.from_numpy(drawn.tokens).float(), (WIDTH,))).detach()
    return drawn, mapped, connector.position.detach(), F.normalize(embeddings - embeddings.mean(0), dim=-1)


def test_a_token_points_to_the_word_of_what_it_shows() -> None:
    drawn, mapped, _, words = started()
    things = mapped[torch.arange(IMAGES), drawn.place] @ words[:THINGS].T
    assert (things.argmax(1) == drawn.thing).float().mean() > 0.95
    elsewhere = mapped[torch.arange(IMAGES), (drawn.place + 1) % TOKENS] @ words[THINGS:PLACES].T
    assert (elsewhere.argmax(1) + THINGS == drawn.colour).float().mean() > 0.95


def test_words_that_are_much_alike_are_told_apart() -> None:
    embeddings = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    embeddings[12:] = embeddings[12] + 0.4 * embeddings[12:]  # as those of colours are
    unit = F.normalize(embeddings - embeddings.mean(0), dim=-1)

    def heard(word_ridge: float) -> float:
        """How loud another word is heard at most, as a share of the word itself."""
        products = align._directions(embeddings, word_ridge)[12:] @ unit[12:].T
        return ((products / products.diagonal()[:, None]) - torch.eye(8)).max().item()

    assert heard(1e6) > 0.8  # the largest penalty leaves the embeddings themselves
    assert heard(0.01) < 0.2


def test_a_place_points_to_the_word_that_is_said_of_things_there() -> None:
    _, _, offsets, words = started()
    assert (offsets @ words[PLACES:].T).argmax(1).equal(torch.arange(TOKENS))


def test_image_tokens_have_the_asked_spread_around_zero() -> None:
    _, mapped, offsets, _ = started()
    torch.testing.assert_close(mapped.std(), torch.tensor(2.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(offsets.std(), torch.tensor(0.6), rtol=1e-3, atol=0)
    assert mapped.mean((0, 1)).abs().max() < 0.05


def test_an_image_of_equal_tokens_gives_numbers() -> None:
    assert align._shares(torch.ones(2, 4, 3)).equal(torch.full((2, 4), 0.25))
