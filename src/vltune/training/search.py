"""Equal tuning: the same number of short trainings for every method, at values drawn from the ranges that its fields name."""

from __future__ import annotations

import math
import shutil
from typing import Any

from vltune import layout
from vltune.errors import Diverged
from vltune.files import fingerprint, read_json, sha256
from vltune.layout import DECODER, FEATURES
from vltune.methods import interface
from vltune.model.loading import read_shape
from vltune.randomness import numpy_generator
from vltune.sections import Train
from vltune.training.checkpoint import base_of
from vltune.training.fit import learn
from vltune.training.scratch import WORK


def draw(method: str, trial: int, seed: int) -> dict[str, float]:
    """Draw the searched values of a trial, three digits each: a low-discrepancy sequence from the middle of the ranges.

    A trial depends on its number alone, so more trials go on where fewer ended, and it lies at the same place of the range of
    every method that searches as many values. Seeds other than 0 begin elsewhere.

    Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization, section 5 (low-discrepancy sequences
    instead of random points); Roberts 2018, The Unreasonable Effectiveness of Quasirandom Sequences (the sequence R).
    """
    ranges = interface.searchable(method)
    first = numpy_generator(seed, "first trial").random(len(ranges)) if seed else [0.5] * len(ranges)
    base = 2.0  # becomes the root of x^(d + 1) = x + 1, in d dimensions
    for _ in range(50):
        base = (1 + base) ** (1 / (len(ranges) + 1))
    shares = [(begin + trial / base ** (place + 1)) % 1 for place, begin in enumerate(first)]
    return {name: float(f"{one.at(share):.3g}") for share, (name, one) in zip(shares, ranges.items(), strict=True)}


def conditions(method: str, settings: interface.Settings, task: str, train: Train) -> str:
    """Hash what the trials of a method share, and what must be equal for two of them to be compared."""
    rest = settings.model_dump(exclude=set(interface.searchable(method)))
    files = [*layout.learnt_from(), layout.checkpoint(layout.START, task, 0) / "model.safetensors"]
    base = base_of(DECODER, read_json(FEATURES / "signature.json"))
    return fingerprint([method, task, rest, train.model_dump(), base, [sha256(path) for path in files]])


def attempt(method: str, settings: interface.Settings, task: str, train: Train, seed: int) -> dict[str, Any]:
    """Train once in .work, and leave nothing but the least loss on val (nats a token), the seconds, and a note.

    A training that diverges counts as a model that says every token with equal probability.
    """
    run = f"search-{method}-{task}"
    try:
        learnt = learn(method, settings, task, seed, train, run, lambda rows: None)  # noqa: ARG005 - no curve is kept
        learnt.scratch.close()
        found = {"val_loss": learnt.description["val_loss"], "seconds": learnt.resources["train_seconds"], "note": ""}
    except Diverged:
        found = {"val_loss": round(math.log(read_shape(DECODER / "config.json").vocabulary), 6), "seconds": 0.0, "note": "diverged"}
    shutil.rmtree(WORK / run)
    return found
