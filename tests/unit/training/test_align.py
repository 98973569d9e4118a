"""The closed-form start: image tokens are made of the right words, for small things as well as for the
background."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vltune.model.linear_projector import LinearProjector
from vltune.model.mlp_projector import MlpProjector
from vltune.model.word_projector import WordProjector, global_pool, relaxed_top_k, saliency_weights
from vltune.pipeline.records import Caption, Captions, Image
from vltune.training import start_linear, start_words
from vltune.training.ridge import Align
from vltune.training.vocabulary import Words, tf_idf

IMAGES, TOKENS, WIDTH, THINGS, COLOURS = 400, 9, 40, 12, 6
PLACES = THINGS + COLOURS  # the first word that says where the thing is
SETTINGS = Align(
    ridge=0.01, words=100, std_exponent=0.5, logit_scale=4.0, scale=2.0, position_scale=0.3, tags=3,
    tag_logit_scale=10.0, max_images=IMAGES)


class Drawn:
    """Features of images in which one token of nine shows a thing and the others the background's colour."""

    def __init__(self, rng: torch.Generator) -> None:
        looks = 3 * torch.randn(THINGS + COLOURS, WIDTH, generator=rng)
        self.thing = torch.randint(THINGS, (IMAGES,), generator=rng)
        self.colour = torch.randint(COLOURS, (IMAGES,), generator=rng) + THINGS
        self.place = torch.randint(TOKENS, (IMAGES,), generator=rng)
        tokens = looks[self.colour][:, None].repeat(1, TOKENS, 1)
        tokens[torch.arange(IMAGES), self.place] = looks[self.thing]
        self.tokens = (tokens + 0.3 * torch.randn(tokens.shape, generator=rng)).half().numpy()
        self.width, self.row = WIDTH, {i: i for i in range(IMAGES)}

    def take(self, ids: list[int]) -> object:
        return self.tokens[ids]


def given() -> tuple[Drawn, Words, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    drawn = Drawn(rng)
    said = zip(drawn.thing.tolist(), drawn.colour.tolist(), drawn.place.tolist(), strict=True)
    drawn.words = [{thing: 0.6, colour: 0.3, PLACES + place: 0.1} for thing, colour, place in said]
    words = Words([f"word{i}" for i in range(PLACES + TOKENS)], list(range(IMAGES)), drawn.words)
    # all words share a direction, as in a real table
    embeddings = torch.randn(PLACES + TOKENS, 32, generator=rng) + 5
    # and those of colours are much alike
    embeddings[THINGS:PLACES] = embeddings[THINGS] + 0.4 * embeddings[THINGS:PLACES]
    return drawn, words, embeddings


def started(std_exponent: float = 0.5) -> tuple[Drawn, torch.Tensor, WordProjector, torch.Tensor]:
    drawn, words, embeddings = given()
    projector = WordProjector(WIDTH, len(words.vocabulary), 32, TOKENS, 3)
    settings = SETTINGS.model_copy(update={"std_exponent": std_exponent})
    start_words.start(projector, drawn, words, embeddings, settings)
    read = (
        projector.word_head(F.layer_norm(torch.from_numpy(drawn.tokens).float(), (WIDTH,)))
        .softmax(-1)
        .detach()
    )  # [n, k, v]
    return drawn, read, projector, embeddings


def test_a_token_is_the_word_of_what_it_shows() -> None:
    drawn, read, _, _ = started()
    things = read[torch.arange(IMAGES), drawn.place]
    assert (things[:, :THINGS].argmax(1) == drawn.thing).float().mean() > 0.95
    elsewhere = read[torch.arange(IMAGES), (drawn.place + 1) % TOKENS]
    assert (elsewhere[:, THINGS:PLACES].argmax(1) + THINGS == drawn.colour).float().mean() > 0.95
    assert read.max(-1).values.mean() > 0.7


def test_evenness_gives_the_scores_of_all_words_one_spread() -> None:
    def ratio(std_exponent: float) -> float:
        drawn, _, projector, _ = started(std_exponent)
        scores = projector.word_head(F.layer_norm(torch.from_numpy(drawn.tokens).float(), (WIDTH,))).detach()
        spreads = scores.flatten(0, 1).std(0)
        return (spreads.max() / spreads.min()).item()

    assert abs(ratio(1.0) - 1) < 1e-3
    assert 1.01 < ratio(0.5) < ratio(0.0)


def test_image_tokens_are_means_of_word_embeddings() -> None:
    drawn, read, projector, embeddings = started()
    with torch.no_grad():
        tokens = projector(torch.from_numpy(drawn.tokens))
    torch.testing.assert_close(
        tokens[:, :TOKENS], 2 * read @ embeddings + projector.position[:TOKENS].detach()
    )


def test_behind_them_stand_the_words_that_are_said_of_the_whole_image() -> None:
    drawn, _, projector, embeddings = started()
    with torch.no_grad():
        tags = projector(torch.from_numpy(drawn.tokens))[:, TOKENS:]
    words = F.normalize(2 * embeddings - 2 * embeddings.mean(0), dim=-1)
    nearest = ((tags - 2 * embeddings.mean(0)) @ words.T).argmax(-1)  # [n, 3]
    said = torch.stack((drawn.thing, drawn.colour), dim=1)
    assert (said[:, :, None] == nearest[:, None]).any(-1).float().mean() > 0.9


@pytest.mark.parametrize("cls", [LinearProjector, MlpProjector])
def test_a_mapped_token_lies_nearest_to_the_word_of_what_it_shows(cls: type[LinearProjector]) -> None:
    drawn, words, embeddings = given()
    projector = cls(WIDTH, 32, TOKENS)
    rng = torch.Generator().manual_seed(1)
    start_linear.start(projector, drawn, words, embeddings, SETTINGS, rng)
    with torch.no_grad():
        tokens = projector(torch.from_numpy(drawn.tokens))  # [n, k, d]
    table = 2 * embeddings
    things = tokens[torch.arange(IMAGES), drawn.place] - table.mean(0)
    directions = F.normalize(table - table.mean(0), dim=-1)
    assert ((things @ directions[:THINGS].T).argmax(1) == drawn.thing).float().mean() > 0.9
    spread = (table - table.mean(0)).std()
    torch.testing.assert_close((tokens - tokens.mean((0, 1))).std(), spread, rtol=1e-3, atol=0)


@pytest.mark.parametrize("cls", [LinearProjector, MlpProjector])
def test_random_tokens_have_mean_and_size_of_token_embeddings(cls: type[LinearProjector]) -> None:
    drawn, _, embeddings = given()
    x = F.layer_norm(torch.from_numpy(drawn.tokens).float(), (WIDTH,))
    made = []
    for seed in (1, 1, 2):
        projector = cls(WIDTH, 32, TOKENS)
        start_linear.draw(projector, x, embeddings, SETTINGS, torch.Generator().manual_seed(seed))
        made.append(projector(x).detach())
    tokens, table = made[0], 2 * embeddings
    torch.testing.assert_close(tokens.mean((0, 1)), table.mean(0), rtol=1e-3, atol=1e-3)
    spread = (table - table.mean(0)).std()
    torch.testing.assert_close((tokens - tokens.mean((0, 1))).std(), spread, rtol=1e-3, atol=0)
    assert torch.equal(made[0], made[1])
    assert not torch.allclose(made[0], made[2])


def test_random_word_scores_have_the_size_of_fitted_ones() -> None:
    drawn, words, embeddings = given()
    x = F.layer_norm(torch.from_numpy(drawn.tokens).float(), (WIDTH,))
    projector = WordProjector(WIDTH, len(words.vocabulary), 32, TOKENS, 3)
    start_words.draw(projector, x, embeddings, SETTINGS, torch.Generator().manual_seed(1))
    assert abs(projector.word_head(x).std().item() - 4) < 1e-3
    assert torch.equal(projector.words.weight, 2 * embeddings.t())
    assert not projector.position.any()


def test_words_are_chosen_one_after_the_other() -> None:
    scores = torch.tensor([[9.0, 0.0, 12.0, 6.0], [0.0, 9.0, 9.0, 0.0]])
    chosen = relaxed_top_k(scores, 3)
    assert chosen[0].argmax(-1).tolist() == [2, 0, 3]
    assert chosen[0].max(-1).values.min() > 0.9
    torch.testing.assert_close(chosen[1, 0], torch.tensor([0.0, 0.5, 0.5, 0.0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(chosen.sum(-1), torch.ones(2, 3))


def test_without_tags_there_are_only_the_features_tokens() -> None:
    projector = WordProjector(8, 5, 6, 4, 0)
    assert projector(torch.randn(2, 4, 8)).shape == (2, 4, 6)
    assert {name.split(".")[0] for name, _ in projector.named_parameters()} == {
        "norm", "word_head", "words", "position",
    }


def test_the_gist_knows_what_stands_out_however_small() -> None:
    drawn, *_ = started()
    x = torch.from_numpy(drawn.tokens).float()
    mean, things = global_pool(x).chunk(2, dim=1)
    torch.testing.assert_close(mean, x.mean(1))
    shown = x[torch.arange(IMAGES), drawn.place]
    assert F.cosine_similarity(things, shown).median() > 0.9 > F.cosine_similarity(mean, shown).median()


def test_a_place_points_to_the_word_that_is_said_of_things_there() -> None:
    _, _, projector, embeddings = started()
    words = F.normalize(embeddings - embeddings.mean(0), dim=-1)
    offsets = projector.position[:TOKENS].detach()
    assert not projector.position[TOKENS:].any()
    assert (offsets @ words[PLACES:].T).argmax(1).equal(torch.arange(TOKENS))
    torch.testing.assert_close(offsets.std(), 0.3 * projector.words.weight.std(), rtol=1e-3, atol=0)


def test_the_most_frequent_words_are_kept_but_for_those_that_tell_nothing() -> None:
    texts = [
        "a red cat", "a red dog", "a blue cat", "a green cow", "a green cat", "a blue hen", "a pink hen",
        "a pink pig",
    ]
    captions = Captions(
        [Image(i, f"{i}.png") for i in range(8)], [Caption(i, i, text) for i, text in enumerate(texts)]
    )
    assert tf_idf(captions, 100).vocabulary == [
        "blue", "cat", "cow", "dog", "green", "hen", "pig", "pink", "red",
    ]
    words = tf_idf(captions, 2)
    assert words.vocabulary == ["blue", "cat"]
    assert words.weights[0] == {1: 1.0}
    assert words.weights[3] == {}


def test_an_image_of_equal_tokens_gives_numbers() -> None:
    assert saliency_weights(torch.ones(2, 4, 3)).equal(torch.full((2, 4), 0.25))


def test_extra_tokens_of_the_encoder_change_nothing_of_the_start() -> None:
    drawn, _, plain, embeddings = started()
    extra = 9 * np.random.default_rng(0).normal(size=(IMAGES, 2, WIDTH)).astype(np.float16)
    drawn.tokens = np.concatenate((drawn.tokens, extra), 1)
    words = Words([f"word{i}" for i in range(PLACES + TOKENS)], list(range(IMAGES)), drawn.words)
    projector = WordProjector(WIDTH, len(words.vocabulary), 32, TOKENS + 2, 3, 2)
    start_words.start(projector, drawn, words, embeddings, SETTINGS)
    for name, parameter in plain.named_parameters():
        if name != "position":
            assert torch.equal(parameter, projector.get_parameter(name)), name
    assert torch.equal(projector.position[:TOKENS], plain.position[:TOKENS])
    assert not projector.position[TOKENS:].any()
