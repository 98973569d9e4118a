"""preprocess: cache the frozen encoder's features of every image."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent

die_with_parent()  # before the imports that take seconds

from vltune.pipeline import launch
from vltune.pipeline.params import load
from vltune.preprocessing.preprocess import preprocess
from vltune.preprocessing.settings import Preprocess


def main() -> None:
    """Write data/features from data/raw and data/base/encoder."""
    preprocess(load(Preprocess, "preprocess"))


if __name__ == "__main__":
    launch.run(main)
