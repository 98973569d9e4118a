"""The words of captions, weighed by how much they tell, for the closed-form alignment of the connector."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from vltune.records import Captions

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Words:
    """A vocabulary, and for each image the indices of its captions' words with their weights (they sum to 1)."""

    vocabulary: list[str]
    ids: list[int | str]
    weights: list[dict[int, float]]


def weigh(captions: Captions, most: int) -> Words:
    """Weigh each word of an image's captions by tf-idf, document frequencies counted over images.

    Words of half of all images or more (articles, "on", "background") tell nothing and get no weight; of the others the `most`
    frequent are kept.

    Source: Sparck Jones 1972 for inverse document frequency.
    """
    per_image = {i: Counter(word for text in texts for word in WORD.findall(text.lower()))
                 for i, texts in captions.by_image().items()}
    frequency = Counter(word for words in per_image.values() for word in words)
    telling = [word for word, count in sorted(frequency.items()) if count < len(per_image) / 2 or len(per_image) < 3]
    vocabulary = sorted(sorted(telling, key=frequency.__getitem__, reverse=True)[:most])
    index = {word: i for i, word in enumerate(vocabulary)}
    weights = []
    for words in per_image.values():
        raw = {index[w]: n * math.log(len(per_image) / frequency[w]) for w, n in words.items() if w in index}
        total = sum(raw.values()) or 1.0
        weights.append({i: value / total for i, value in raw.items()})
    return Words(vocabulary, list(per_image), weights)
