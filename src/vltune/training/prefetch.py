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


@dataclass(frozen=True)
class Part:
    """Images that are computed together: their features, float16 [b, k, w], and their texts."""

    features: Tensor
    batch: Batch

    @classmethod
    def of(cls, examples: Sequence[Example], features: Features, image_tokens: int) -> Part:
        """Read the features of some examples and put their texts into a batch."""
        flips = [example.flipped for example in examples]
        taken = torch.from_numpy(features.take([example.image_id for example in examples], flips))
        return cls(taken, collate([example.texts for example in examples], image_tokens))

    def pinned(self) -> Part:
        """Give the same in memory from which a GPU can copy while it computes."""
        return Part(self.features.pin_memory(), self.batch.pinned())

    def to(self, device: torch.device) -> Part:
        """Move all tensors to a device, without waiting for the copies."""
        return Part(self.features.to(device, non_blocking=True), self.batch.to(device))


@dataclass(frozen=True)
class Step:
    """This process's parts of a step, and the numbers of texts and target tokens of all processes in it."""

    parts: list[Part]
    texts: int
    tokens: int


def prepare(
    examples: Sequence[Example], features: Features, image_tokens: int, accumulate: int, pin: bool
) -> Step:
    """Prepare a step of at least `accumulate` examples for each process."""
    own = workers.share(examples)
    bounds = [len(own) * i // accumulate for i in range(accumulate + 1)]
    parts = [Part.of(own[begin:end], features, image_tokens) for begin, end in pairwise(bounds)]
    texts = [text for example in examples for text in example.texts]
    return Step([part.pinned() for part in parts] if pin else parts, len(texts),
                sum(len(text.target) for text in texts))


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
