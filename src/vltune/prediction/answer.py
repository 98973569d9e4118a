"""Answers to questions about images, generated freely or ranked in a closed list.

The image tokens are read once for all questions about an image.

Shapes: b images, k image tokens, w feature width, q questions of all images, t tokens of a prompt, d width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vltune.data.batch import attention_mask
from vltune.data.tokenizer import Tokenizer
from vltune.model.attention import Cache
from vltune.model.decoder import Decoder
from vltune.model.vision_language import VisionLanguageModel
from vltune.prediction.generate import generate, read

GENERATE_BATCH = 200  # questions whose answers are generated together
RANK_BATCH = 8  # questions that are ranked together: each scores every candidate that may win


@torch.inference_mode()
def answer(
    vlm: VisionLanguageModel, features: Tensor, questions: Sequence[Sequence[str]], tokenizer: Tokenizer,
    max_new_tokens: int
) -> list[list[str]]:
    """Answer the questions about each image by greedy decoding.

    Args: features [b, k, w]; questions, those of each of the b images.
    Returns: the answers in the same order.
    """
    owners = [i for i, group in enumerate(questions) for _ in group]
    ids = _encoded(vlm, tokenizer, [question for group in questions for question in group])
    images = _read_images(vlm, features)
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))  # questions of similar length: less padding
    texts = [""] * len(ids)
    for start in range(0, len(ids), GENERATE_BATCH):
        batch = order[start:start + GENERATE_BATCH]
        x, valid = embed_prompts(vlm.decoder, [ids[i] for i in batch], vlm.dtype)
        rows = torch.tensor([owners[i] for i in batch], device=x.device)
        cache = images.taken(rows, images.length + x.shape[1] + max_new_tokens)
        generated = generate(vlm.decoder, x, valid, tokenizer.end, 1, 1.0, max_new_tokens, cache)
        for i, tokens in zip(batch, generated, strict=True):
            texts[i] = tokenizer.decode(tokens)
    in_order = iter(texts)
    return [[next(in_order) for _ in group] for group in questions]


@torch.inference_mode()
def rank(
    vlm: VisionLanguageModel, features: Tensor, questions: Sequence[Sequence[str]], tokenizer: Tokenizer,
    candidates: Sequence[str], ended: bool = True
) -> list[list[str]]:
    """Choose for each question the candidate of the highest likelihood, with its end token if `ended`.

    All candidates follow the prompt in one row, where the attention mask separates them: a prompt is read
    once. Candidates that cannot win, as the likelihood of their first token alone is too low, are left out.

    Args: features [b, k, w]; questions, those of each of the b images; candidates, the closed list; ended,
        false for a model that has never been trained to end an answer: the likelihood of an end then says
        nothing of the answer.
    Returns: the chosen candidates in the order of the questions.
    """
    ids = tokenizer.encode_all([f" {candidate}" for candidate in candidates])
    if ended:
        ids = [[*candidate, tokenizer.end] for candidate in ids]
    owners = [i for i, group in enumerate(questions) for _ in group]
    prompts = _encoded(vlm, tokenizer, [question for group in questions for question in group])
    images, chosen = _read_images(vlm, features), []
    for start in range(0, len(prompts), RANK_BATCH):
        batch = slice(start, start + RANK_BATCH)
        scores = _log_likelihoods(vlm, images, owners[batch], prompts[batch], ids)  # [q, candidates]
        chosen += [candidates[i] for i in scores.argmax(1).tolist()]
    in_order = iter(chosen)
    return [[next(in_order) for _ in group] for group in questions]


def _log_likelihoods(
    vlm: VisionLanguageModel, images: Cache, owners: Sequence[int], prompts: Sequence[Sequence[int]],
    ids: Sequence[list[int]]
) -> Tensor:
    """Give the log-likelihoods [q, candidates] of candidates `ids`, for prompts after the images `owners`; an
    upper bound of it for a candidate that is the likeliest of no prompt."""
    x, valid = embed_prompts(vlm.decoder, prompts, vlm.dtype)
    rows = torch.tensor(owners, device=x.device)
    cache = images.taken(rows, images.length + x.shape[1] + sum(map(len, ids)))
    hidden, seen = read(vlm.decoder, x, valid, cache)
    first = vlm.decoder.logits(hidden).float().log_softmax(-1)  # [q, vocabulary]
    scores = first[:, [candidate[0] for candidate in ids]]
    whole = torch.tensor([len(candidate) == 1 for candidate in ids], device=x.device)
    best = scores.masked_fill(~whole, float("-inf")).amax(1, keepdim=True)
    possible = ((scores >= best).any(0) & ~whole).nonzero()[:, 0]
    if len(possible):
        further = _further(vlm, [ids[i] for i in possible.tolist()], seen, cache)
        scores.index_add_(1, possible, further)
    return scores


def _further(vlm: VisionLanguageModel, ids: Sequence[list[int]], seen: Tensor, cache: Cache) -> Tensor:
    """Give the log-likelihoods [q, candidates] of the tokens of candidates `ids` behind their first ones,
    after the tokens in the cache, of which those that are no padding are `seen`, bool [q, s]."""
    decoder, device = vlm.decoder, seen.device
    flat = torch.tensor([token for candidate in ids for token in candidate[:-1]], device=device)  # [c]
    owner = torch.tensor([i for i, candidate in enumerate(ids) for _ in candidate[1:]], device=device)
    follow = torch.tensor([token for candidate in ids for token in candidate[1:]], device=device)
    offset = torch.tensor([i for candidate in ids for i in range(len(candidate) - 1)], device=device)
    own = attention_mask(owner[None] + 1).expand(len(seen), -1, -1, -1)
    mask = torch.cat((seen[:, None, None].expand(-1, -1, len(flat), -1), own), dim=-1)  # [q, 1, c, s + c]
    embedded = decoder.embed(flat.expand(len(seen), -1), vlm.dtype)
    after = decoder(embedded, seen.sum(1, keepdim=True) + offset, mask, cache)  # [q, c, d]
    scores = torch.zeros(len(seen), len(ids), device=device)
    for i, row in enumerate(after):  # one question at a time: c x vocabulary scores are large
        next_token = decoder.logits(row).float().log_softmax(-1).gather(1, follow[:, None])[:, 0]
        scores[i].index_add_(0, owner, next_token)
    return scores


def _encoded(vlm: VisionLanguageModel, tokenizer: Tokenizer, questions: Sequence[str]) -> list[list[int]]:
    return [[*ids, *vlm.template.suffix] for ids in tokenizer.encode_all(questions)]


def embed_prompts(
    decoder: Decoder, ids: Sequence[Sequence[int]], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Embed prompts, padded on the left: [q, t, d], and which tokens are no padding, bool [q, t]."""
    longest, device = max(map(len, ids)), decoder.embedding.weight.device
    padding = [longest - len(prompt) for prompt in ids]
    padded = [[0] * pad + [*prompt] for pad, prompt in zip(padding, ids, strict=True)]
    tokens = torch.tensor(padded, device=device)
    valid = torch.tensor([[False] * pad + [True] * (longest - pad) for pad in padding], device=device)
    return decoder.embed(tokens, dtype), valid


def _read_images(vlm: VisionLanguageModel, features: Tensor) -> Cache:
    """Read the image tokens of b images into a cache of b rows, one of which each question continues."""
    x = vlm.embed_images(features)  # [b, k, d]
    cache = Cache(x.shape[1])
    read(vlm.decoder, x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device), cache)
    return cache
