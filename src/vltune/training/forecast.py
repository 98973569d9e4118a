"""What a training will take on this machine, from its first steps."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

from tqdm import tqdm

STEPS = 5  # timed steps of this process before the forecast; the first one, which fills caches, is left out
LONG = 120.0  # seconds from which a training is announced


def forecast(
    step_s: Sequence[float], steps: int, evaluation_s: float, evaluations: int, memory_bytes: int
) -> str | None:
    """Say how long the rest of a training will take, and how much memory; None if it is short.

    Args: step_s, seconds of the steps so far, at least two; steps, how many are left; evaluation_s, seconds
        of a validation, of which `evaluations` are left; memory_bytes, the peak that is expected.
    """
    step = statistics.median(step_s[1:])
    seconds = steps * step + evaluations * evaluation_s
    if seconds < LONG:
        return None
    return (
        f"about {duration(seconds)} and {memory_bytes / 1e9:.1f} GB of memory: {steps} more steps of "
        f"{step:.2g} s, {evaluations} validations of {evaluation_s:.2g} s"
    )


def duration(seconds: float) -> str:
    """Say a time in minutes, or in hours from two of them."""
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{max(1, round(seconds / 60))} minutes"


def announce(
    name: str, step_s: Sequence[float], steps: int, evaluations: int, parts: float,
    validate: Callable[[], object], memory_bytes: Callable[[], int],
) -> None:
    """Write what the rest of a training will take beside its progress bar, if it is long.

    Args: validate, computes one of the `parts` of a validation, which is timed; memory_bytes, measured then.
    """
    start = time.perf_counter()
    validate()
    seconds = parts * (time.perf_counter() - start)
    text = forecast(step_s, steps, seconds, evaluations, memory_bytes())
    if text:
        tqdm.write(f"{name}: {text}", file=sys.stderr)
