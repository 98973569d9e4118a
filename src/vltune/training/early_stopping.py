"""When a training that no longer improves ends.

Source: Prechelt 1998, Early stopping - but when?, section 2 (the criterion UP, of consecutive validations).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from tqdm import tqdm


def stalled(curve: Sequence[Mapping[str, float]], best_step: int, patience: int) -> bool:
    """Say whether `patience` validations after the best step have not lowered its loss; never if it is 0."""
    if not patience:
        return False
    return sum("val_loss" in row for row in curve[best_step:]) >= patience


def say_stopped(name: str, step: int, steps: int, patience: int, best_step: int) -> None:
    """Say that a training has stopped early, and which step is kept."""
    tqdm.write(
        f"{name}: stopped at step {step} of {steps}, as {patience} validations have not lowered the loss; "
        f"step {best_step} is kept", file=sys.stderr)
