"""train: train one method on one task with one seed."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent

die_with_parent()  # before the imports that take seconds

import argparse

from vltune.methods import interface
from vltune.pipeline import launch
from vltune.pipeline.params import load
from vltune.pipeline.tasks import TRAININGS
from vltune.training.budget import Budget
from vltune.training.train import Train, train_stage


def main() -> None:
    """Write models/METHOD/TASK-SEED, its curve and its resources."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", required=True, choices=interface.names())
    parser.add_argument("--task", required=True, choices=TRAININGS)
    parser.add_argument("--seed", required=True, type=int)
    given = parser.parse_args()
    cls = interface.method(given.method)
    budget = load(Budget, "budget") if cls.SIZE else None
    train_stage(given.method, load(cls, given.method), given.task, given.seed, load(Train, "train"), budget)


if __name__ == "__main__":
    launch.run(main)
