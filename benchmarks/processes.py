"""Texts a second of LoRA's training: two processes of one thread each against one process of two threads.

Run: make bench, after make repro. It trains the real decoder with the section `train` of params.yaml on
random features and texts of the usual length, by turns, and compares the medians of the steps. The target is
0.9 for a machine of two cores; `benchmarks/processes.py --processes 8 --threads 16` measures another one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
import torch
from table import Row, render

from vltune.data.batch import Text
from vltune.data.examples import Example
from vltune.data.features import Features, finish, writing
from vltune.methods import checkpoint, interface
from vltune.methods.lora import Lora
from vltune.model.precision import choose_device, choose_dtype
from vltune.pipeline import workers
from vltune.pipeline.files import write_json
from vltune.pipeline.params import load
from vltune.pipeline.paths import DECODER
from vltune.training.loop import Trainer
from vltune.training.train import Train, _schedule

IMAGES, WORDS, TOKENS, WIDTH, VOCABULARY = 64, 12, 16, 768, 431


class NoState:
    """In the place of a state to resume from."""

    def load(self) -> None:
        """Give none."""


def project(folder: Path) -> tuple[Features, list[Example]]:
    """Write random features, and make up texts."""
    rng = np.random.default_rng(0)
    with writing(folder, "train", IMAGES, TOKENS, WIDTH) as array:
        array[:] = rng.normal(size=array.shape)
    finish(folder, "train", list(range(IMAGES)), {})
    write_json(folder / "signature.json", {"tokens": TOKENS, "width": WIDTH})
    texts = rng.integers(3, 40_000, (IMAGES, 5, WORDS)).tolist()
    return Features(folder, "train"), [
        Example(i, [Text((), text) for text in group]) for i, group in enumerate(texts)]


def work(steps: int) -> None:
    """Train in this process, or as one of a group; the first prints the texts a second of the median step."""
    with workers.joined() if "TORCHELASTIC_RUN_ID" in os.environ else nullcontext(), \
            tempfile.TemporaryDirectory() as folder:
        recipe = load(Train, "train").model_copy(update={"steps": steps, "checkpoint_seconds": 1e9})
        settings, device = load(Lora, "lora").of_task("caption"), choose_device()
        features, examples = project(Path(folder))
        vlm = checkpoint.build(DECODER, TOKENS, WIDTH, VOCABULARY, 5, choose_dtype(recipe.precision, device))
        for parameter in vlm.projector.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        names = interface.attach(vlm.decoder, settings, torch.Generator().manual_seed(0))
        trained = interface.trained_parameters(vlm.decoder, names)
        trainer = Trainer(vlm, trained, _schedule(settings, recipe, 0), device)
        state: Any = NoState()
        meter = trainer.run(examples, features, examples[:2], features, state, lambda _: None, "benchmark")
        if workers.rank() == 0:
            texts = recipe.batch_size * recipe.texts_per_image
            print(json.dumps(texts / median(meter.step_s[2:])))


def texts_per_second(processes: int, threads: int, steps: int) -> float:
    """Train in a number of processes of so many threads each."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(torchrun if processes > 1 else []), __file__, "--work", f"--steps={steps}"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(ended.stdout.splitlines()[-1])


def measure(processes: int = 2, threads: int = 2, steps: int = 12, rounds: int = 2) -> list[Row]:
    """Train by turns in one process and in several."""
    each = threads // processes
    single, several = [], []
    for _ in range(rounds):
        single.append(texts_per_second(1, threads, steps))
        several.append(texts_per_second(processes, each, steps))
    return [Row(
        f"LoRA training, {processes} processes, threads of each: {each}", "texts/s", median(several),
        (f"one process, threads: {threads}", median(single)))]


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="number of processes (default 2)")
    parser.add_argument("--threads", type=int, default=2, help="threads in all (default 2)")
    parser.add_argument("--steps", type=int, default=12, help="of a training; the first two do not count")
    parser.add_argument("--rounds", type=int, default=2, help="trainings of each kind (default 2)")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    if given.pop("work"):
        work(given["steps"])
    else:
        print(render(measure(**given)))


if __name__ == "__main__":
    main()
