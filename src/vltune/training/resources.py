"""What a training cost: seconds, speed, peak memory. None of
it repeats from run to run, so it has a file of its own."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Meter:
    """Adds up the seconds of training steps; after a resume it adds to the earlier seconds."""

    def __init__(self, earlier_s: float, earlier_texts: int) -> None:
        """Start with what an interrupted run had used."""
        self.seconds, self.texts = earlier_s, earlier_texts
        self.step_s: list[float] = []

    @contextmanager
    def step(self, texts: int, device: torch.device) -> Iterator[None]:
        """Time one step that learns from `texts` texts."""
        start = time.perf_counter()
        yield
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self.step_s.append(time.perf_counter() - start)
        self.seconds += self.step_s[-1]
        self.texts += texts

    @property
    def texts_per_second(self) -> float:
        """Texts trained on per second of training steps."""
        return self.texts / self.seconds if self.seconds else 0.0

    def summary(self, device: torch.device) -> dict[str, float | int]:
        """Give the numbers as they are written; step_seconds is the median of this process's steps."""
        return {
            "train_seconds": round(self.seconds, 2),
            "captions_per_second": round(self.texts_per_second, 2),
            "peak_memory_bytes": peak_memory_bytes(device),
            "step_seconds": round(statistics.median(self.step_s), 4) if self.step_s else 0.0,
        }


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory in use so far: of the GPU if there is one, of this process otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
