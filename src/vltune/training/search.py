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
    """Draw the searched values of a trial, three digits each.

    A trial depends on its number alone, so more trials go on where fewer ended, and it lies at the same place of the range of
    every method.

    Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization, section 2.
    """
    shares = {name: numpy_generator(seed, f"trial {trial} of {name}").random() for name in interface.searchable(method)}
    return {name: float(f"{one.at(shares[name]):.3g}") for name, one in interface.searchable(method).items()}


def conditions(method: str, settings: interface.Settings, task: str, train: Train) -> str:
    """Hash what the trials of a method share, and what must be equal for two of them to be compared."""
    rest = settings.model_dump(exclude=set(interface.searchable(method)))
    texts = [sha256(path) for split in ("train", "val") for path in (layout.captions(split), *layout.questions(split))]
    return fingerprint([method, task, rest, train.model_dump(), base_of(DECODER, read_json(FEATURES / "signature.json")), texts])


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
