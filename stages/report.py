"""report: all runs side by side, as tables, plots and one page."""

import sys
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vltune.pipeline.process import die_with_parent, run

die_with_parent()  # before the imports that take seconds

from vltune.comparison.choice import compared, settings, values
from vltune.comparison.claims import Claims
from vltune.pipeline import environment
from vltune.pipeline.params import load
from vltune.report.page import Report
from vltune.report.report import report


def main() -> None:
    """Write the tables and environment.json of metrics/, plots/*.{json,png} and plots/report.html."""
    environment.gather()
    methods, tasks, seeds = compared(), values("tasks"), values("seeds", int)
    shown = {"methods": methods, "tasks": tasks, "seeds": seeds} | settings(
        "fetch", "scenes", "preprocess", "align", "train", "budget", "predict", "attention", "costs",
        "evaluate", "claims") | settings(*methods)
    claims, size = load(Claims, "claims"), load(Report, "report")
    for missing in report(methods, tasks, seeds, claims, size, shown):
        sys.stderr.write(f"missing, left out of the report: {missing}\n")


if __name__ == "__main__":
    run(main)
