"""predict: caption the test images with one run's checkpoint. The only stage that opens the test split's
features."""

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
from vltune.pipeline.paths import START
from vltune.pipeline.tasks import TRAININGS
from vltune.prediction.explain import Attention
from vltune.prediction.forgetting import Costs
from vltune.prediction.predict import Predict, predict


def main() -> None:
    """Write data/predictions/TASK-METHOD-SEED.json; of a method also TASK-METHOD-SEED.attention.json,
    TASK-METHOD-SEED.forgetting.json and data/speed/METHOD/TASK-SEED.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", required=True, choices=[*interface.names(), START])
    parser.add_argument("--task", required=True, choices=TRAININGS)
    parser.add_argument("--seed", required=True, type=int)
    given = parser.parse_args()
    predict(given.method, given.task, given.seed, load(Predict, "predict"), load(Attention, "attention"),
            load(Costs, "costs"))


if __name__ == "__main__":
    launch.run(main)
