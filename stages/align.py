"""align: give the projector its start, the same for every method and seed."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent, run

die_with_parent()  # before the imports that take seconds

import argparse

from vltune.pipeline.params import load
from vltune.pipeline.tasks import TRAININGS
from vltune.training.align import Align, ProjectorSettings, write_start


def main() -> None:
    """Write models/aligned/TASK-0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, choices=TRAININGS)
    task = parser.parse_args().task
    write_start(task, load(Align, "align"), load(ProjectorSettings, "projector"))


if __name__ == "__main__":
    run(main)
