"""fetch: get or draw the data set, and get the encoder and the decoder."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent, run

die_with_parent()  # before the imports that take seconds

from vltune.pipeline.params import load
from vltune.sources.fetch import Fetch, fetch
from vltune.sources.scenes.draw import Scenes


def main() -> None:
    """Write data/raw and data/base."""
    fetch(load(Fetch, "fetch"), load(Scenes, "scenes"))


if __name__ == "__main__":
    run(main)
