"""summary: the numbers of the method that params.yaml selects, for `dvc metrics show` and `dvc metrics
diff`."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent, run

die_with_parent()  # before the imports that take seconds

from vltune.comparison.choice import compared, values
from vltune.comparison.summary import summarize
from vltune.pipeline.params import choice


def main() -> None:
    """Write metrics/summary.json and metrics/cost.json."""
    summarize(choice("method", compared()), values("tasks"), values("seeds", int))


if __name__ == "__main__":
    run(main)
