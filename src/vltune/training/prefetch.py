"""What a training step reads, prepared by a thread while the step before is computed.

A step's images are shared among the processes, and each process computes its own in `accumulate` parts, one
after the other. The gradients of all parts add up to that of the whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from vltune.data.batch import Batch, collate
from vltune.data.examples import Example
from vltune.data.features import Features
from vltune.pipeline import workers
from vltune.pipeline.params import TASKS


@dataclass(frozen=True)
class Part:
    """Images that are computed together: their features, float16 [b, k, w], their texts, and how many target
    tokens each task has."""

    features: Tensor
    batch: Batch
    tokens: list[int]

    @classmethod
    def of(cls, examples: Sequence[Example], features: Features, image_tokens: int) -> Part:
        """Read the features of some examples and put their texts into a batch."""
        flips = [example.flipped for example in examples]
        taken = torch.from_numpy(features.take([example.image_id for example in examples], flips))
        batch = collate([example.texts for example in examples], image_tokens)
        return cls(taken, batch, count_targets(examples))

    def pinned(self) -> Part:
        """Give the same in memory from which a GPU can copy while it computes."""
        return Part(self.features.pin_memory(), self.batch.pinned(), self.tokens)

    def to(self, device: torch.device) -> Part:
        """Move all tensors to a device, without waiting for the copies."""
        return Part(self.features.to(device, non_blocking=True), self.batch.to(device), self.tokens)


@dataclass(frozen=True)
class Step:
    """This process's parts of a step; of all processes in it, the number of texts, and how many target tokens
    each task has."""

    parts: list[Part]
    texts: int
    tokens: list[int]


def count_targets(examples: Sequence[Example]) -> list[int]:
    """Count the target tokens of each task."""
    texts = [text for example in examples for text in example.texts]
    return [sum(len(text.target) for text in texts if text.task == task) for task in range(len(TASKS))]


def prepare(
    examples: Sequence[Example], features: Features, image_tokens: int, accumulate: int, pin: bool
) -> Step:
    """Prepare a step of at least `accumulate` examples for each process."""
    own = workers.share(examples)
    bounds = [len(own) * i // accumulate for i in range(accumulate + 1)]
    parts = [Part.of(own[begin:end], features, image_tokens) for begin, end in pairwise(bounds)]
    texts = sum(len(example.texts) for example in examples)
    return Step([part.pinned() for part in parts] if pin else parts, texts, count_targets(examples))


def ahead(
    batches: Iterator[list[Example]], prepared: Callable[[Sequence[Example]], Step]
) -> Iterator[Step]:
    """Prepare each batch while the one before it is used."""
    with ThreadPoolExecutor(1) as reader:
        coming = None
        for batch in batches:
            ready, coming = coming, reader.submit(prepared, batch)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()
