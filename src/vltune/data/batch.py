"""Batches: several texts of an image share its tokens in one row, kept apart by the attention mask.

A row is [k image tokens][text 1][text 2]...; every text sees the image and
itself, and its positions follow the image's. So the image is computed once
for all its texts, and each text is scored as if it stood there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from vltune.pipeline.params import TASKS


@dataclass(frozen=True)
class Text:
    """Token ids of a prompt (a question; empty for captioning) and of its target, with the end token; `task`
    is the number of its task in TASKS."""

    prompt: Sequence[int]
    target: Sequence[int]
    task: int = 0


@dataclass(frozen=True)
class Batch:
    """Arguments of `VisionLanguageModel.forward`; `labels` [n] are the next tokens at `sources` [n], those of
    captions before those of answers."""

    tokens: Tensor
    positions: Tensor
    mask: Tensor
    sources: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move all tensors to a device, without waiting for the copies."""
        return Batch(*(part.to(device, non_blocking=True) for part in vars(self).values()))

    def pinned(self) -> Batch:
        """Give the same in memory from which a GPU can copy while it computes."""
        return Batch(*(part.pin_memory() for part in vars(self).values()))


def collate(rows: Sequence[Sequence[Text]], image_tokens: int) -> Batch:
    """Build a batch of b rows, each with the texts of one image.

    Example, k = 2 image tokens and the texts "a" and "b c" (e ends a text):
    the row is [i i a e b c e], positions [0 1 2 3 2 3 4]; "a" is predicted
    from the second i, and so is "b"; the last e of each text predicts nothing.
    """
    k = image_tokens
    longest = max(sum(len(text.prompt) + len(text.target) for text in row) for row in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.int64)
    owner = torch.full((len(rows), k + longest), -1)  # -1 padding, 0 the image, 1.. the texts
    owner[:, :k] = 0
    positions = torch.zeros(len(rows), k + longest, dtype=torch.int64)
    positions[:, :k] = torch.arange(k)
    sources: list[list[int]] = [[] for _ in TASKS]
    labels: list[list[int]] = [[] for _ in TASKS]
    for i, row in enumerate(rows):
        start = k
        for number, text in enumerate(row, start=1):
            ids = [*text.prompt, *text.target]
            end = start + len(ids)
            tokens[i, start - k:end - k] = torch.tensor(ids)
            owner[i, start:end] = number
            positions[i, start:end] = torch.arange(k, k + len(ids))
            before = [k - 1, *range(start, end - 1)][len(text.prompt):]  # the place before each target token
            sources[text.task] += [i * (k + longest) + position for position in before]
            labels[text.task] += text.target
            start = end
    return Batch(tokens, positions, attention_mask(owner), torch.tensor([*chain(*sources)]),
                 torch.tensor([*chain(*labels)]))


def attention_mask(owner: Tensor) -> Tensor:
    """Who may look at whom, bool [b, 1, t, t]: back to the
    image (0) and to one's own text; padding sees itself."""
    seer, seen = owner[:, :, None], owner[:, None, :]
    back = torch.ones(owner.shape[1], owner.shape[1], dtype=torch.bool, device=owner.device).tril()
    return (back & ((seen == seer) | (seen == 0) & (seer >= 0)))[:, None]
