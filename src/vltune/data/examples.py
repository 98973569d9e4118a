"""From a split's captions to texts in token ids, and the order in which training sees them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from vltune.data.batch import Text
from vltune.data.tokens import Tokenizer
from vltune.randomness import python_generator
from vltune.records import Captions


@dataclass(frozen=True)
class Example:
    """An image and all the texts that may be learnt from it."""

    image_id: int | str
    texts: list[Text]


def captioning(captions: Captions, tokenizer: Tokenizer, have: set[int | str]) -> list[Example]:
    """Make the examples of the captioning task, for images that have features: no prompt, the caption as target."""
    examples = []
    for image_id, references in captions.by_image().items():
        if image_id in have:
            texts = [Text((), [*ids, tokenizer.end]) for ids in tokenizer.encode_all(references)]
            examples.append(Example(image_id, texts))
    return examples


def rows(
    examples: list[Example], steps: int, batch_size: int, texts_per_image: int, seed: int, start: int = 0
) -> Iterator[list[Example]]:
    """Give the batches of steps start to steps - 1: epochs in a new order each, with some texts of each image.

    A batch depends on seed and step alone, so a training that goes on after a kill sees what it would have seen.
    """
    order: list[int] = []
    epoch = -1
    for step in range(start, steps):
        picked = []
        for place in range(step * batch_size, (step + 1) * batch_size):
            if place // len(examples) != epoch:
                epoch = place // len(examples)
                order = list(range(len(examples)))
                python_generator(seed, f"order of epoch {epoch}").shuffle(order)
            example = examples[order[place % len(examples)]]
            chance = python_generator(seed, f"texts at place {place}")
            picked.append(Example(example.image_id, _some(example.texts, texts_per_image, chance)))
        yield picked


def _some(texts: list[Text], count: int, chance: random.Random) -> list[Text]:
    return texts if len(texts) <= count else chance.sample(texts, count)
