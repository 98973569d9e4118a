"""The words of an image's texts, weighted by tf-idf, and their embeddings: what the start is fitted to."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from vltune.data.tokenizer import Tokenizer
from vltune.model.decoder import Decoder
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Captions

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Words:
    """A vocabulary, and for each image the weights of its captions' words by index; they sum to 1."""

    vocabulary: list[str]
    ids: list[int | str]
    weights: list[dict[int, float]]


def tf_idf(captions: Captions, most: int) -> Words:
    """Weight each word of an image's captions by tf-idf, where a document is the captions of an image.

    `captions` may hold other texts of images, such as questions with answers.
    Words of half of all images or more (articles, "on", "background") are stop words; of the others, the
    `most` frequent are kept.

    Source: Sparck Jones 1972 for inverse document frequency.
    """
    per_image = {image_id: Counter(word for text in texts for word in WORD.findall(text.lower()))
                 for image_id, texts in captions.by_image().items()}
    frequency = Counter(word for words in per_image.values() for word in words)
    content = [word for word, count in sorted(frequency.items())
               if count < len(per_image) / 2 or len(per_image) < 3]
    vocabulary = sorted(sorted(content, key=frequency.__getitem__, reverse=True)[:most])
    if len(vocabulary) < 2:
        raise InputError(
            f"the texts of {len(per_image)} training images have {len(vocabulary)} words that fewer than "
            "half of the images have; expected at least 2 to align the projector with"
        )
    index = {word: i for i, word in enumerate(vocabulary)}
    weights = []
    for words in per_image.values():
        raw = {index[w]: n * math.log(len(per_image) / frequency[w]) for w, n in words.items() if w in index}
        total = sum(raw.values()) or 1.0
        weights.append({i: value / total for i, value in raw.items()})
    return Words(vocabulary, list(per_image), weights)


def word_embeddings(words: Words, tokenizer: Tokenizer, decoder: Decoder) -> Tensor:
    """Embed each word, after a space, as the mean of its tokens' embeddings: float32 [v, d]."""
    table = decoder.embedding.weight.detach().float().cpu()
    token_ids = tokenizer.encode_all([f" {word}" for word in words.vocabulary])
    return torch.stack([table[ids].mean(0) for ids in token_ids])


def weights_of(words: Words, rows: list[int]) -> Tensor:
    """Give the word weights of some images as a matrix [n, v]."""
    weights = torch.zeros(len(rows), len(words.vocabulary))
    for row, image in enumerate(rows):
        for word, weight in words.weights[image].items():
            weights[row, word] = weight
    return weights
