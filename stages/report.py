"""report: all runs side by side, as tables, plots and one page."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.comparison.choice import compared, values
from vltune.comparison.claims import Claims
from vltune.pipeline import environment
from vltune.pipeline.params import load
from vltune.pipeline.process import die_with_parent, run
from vltune.report.report import report


def main() -> None:
    """Write the tables and environment.json of metrics/, plots/*.{json,png} and plots/report.html."""
    die_with_parent()
    for missing in report(compared(), values("tasks"), values("seeds", int), load(Claims, "claims")):
        sys.stderr.write(f"missing, left out of the report: {missing}\n")
    environment.gather()


if __name__ == "__main__":
    run(main)
