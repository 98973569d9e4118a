"""evaluate: score the predictions of a run and of its blind controls, with intervals over images."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent, run

die_with_parent()  # before the imports that take seconds

import argparse

from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.clip import ClipScore
from vltune.metrics.evaluate import evaluate
from vltune.pipeline.params import load
from vltune.pipeline.tasks import TRAININGS


def main() -> None:
    """Write data/results/METHOD/TASK-SEED.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--method", required=True, help="a method, or the name of the start, that has predictions"
    )
    parser.add_argument("--task", required=True, choices=TRAININGS)
    parser.add_argument("--seed", required=True, type=int)
    given = parser.parse_args()
    settings, images = load(Evaluate, "evaluate"), load(ClipScore, "clipscore")
    evaluate(given.method, given.task, given.seed, settings, images)


if __name__ == "__main__":
    run(main)
