"""vltune plan: how many seeds a verdict needs, and what they cost."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pandas as pd
from matplotlib.ticker import MaxNLocator

from vltune.commands import terminal
from vltune.commands.compare import read_claims
from vltune.comparison import per_image, planning
from vltune.comparison.choice import compared, trainings, values
from vltune.comparison.compare import by_method, paired
from vltune.comparison.planning import POWER, Decided, Spreads
from vltune.comparison.runs import Run, collect
from vltune.comparison.tasks import TASKS
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.report import charts
from vltune.report.style import PALETTE

SEEDS = (3, 4, 5, 6, 8, 10, 15, 20)
LEVEL = 0.05  # without results, whose confidence would set it


class Typed(NamedTuple):
    """What is given on the command line; None is taken from the results."""

    methods: int | None
    images: int | None
    spread: float | None
    image_spread: float | None
    margin: float | None
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """One task's pilot, as numbers; `seconds` is the time of one training."""

    name: str
    pilot: Spreads
    methods: int
    images: int
    margin: float | None
    seconds: float | None
    level: float

    def decided(self, seeds: int) -> Decided:
        """Predict what so many seeds decide."""
        return planning.decided(self.pilot, self.methods, seeds, self.images, self.level)

    def hours(self, seeds: int) -> float | None:
        """Give the hours of all trainings."""
        return None if self.seconds is None else self.methods * seeds * self.seconds / 3600


def main(task: str | None, typed: Typed, plot: Path | None, root: Path) -> None:
    """Print the plan of each task, from its results or from what is typed, and draw it.

    Raises:
        InputError: a number is out of range, there is no spread over seeds, or the plot cannot be written.
    """
    _check(typed, plot)
    if any((root / "data/results").glob("*/*.json")):
        plans = _measured(task, typed, root)
    elif typed.spread is not None:
        plans = [_typed(typed)]
    else:
        raise InputError(
            f"{root / 'data/results'}: no results of a pilot; make them with `dvc repro`, or give --spread, "
            "the standard deviation of a method's score over seeds"
        )
    for plan in plans:
        sys.stdout.write(f"{plan.name}\n\n{terminal.table(table(plan))}\n\n{sentences(plan)}\n\n")
    if plot is not None:
        draw(plot, plans)


def table(plan: Plan) -> pd.DataFrame:
    """Give the table of a plan as text: a row a number of seeds."""
    rows = []
    for seeds in SEEDS:
        decided, hours = plan.decided(seeds), plan.hours(seeds)
        row = {"seeds": str(seeds), "difference established": f"{decided.difference:.3g}",
               "margin of equivalence": f"{decided.margin:.3g}"}
        rows.append(row if hours is None else row | {"hours of training": f"{hours:.3g}"})
    return pd.DataFrame(rows)


def sentences(plan: Plan) -> str:
    """Explain the table, and say how many seeds the margin needs."""
    pilot = plan.pilot
    lines = [
        f"{plan.methods} methods, {plan.images} images; standard deviation over seeds {pilot.seeds:.3g}, of "
        f"a difference over images {pilot.images:.3g}. Differences and margins are reached with probability "
        f"{100 * POWER:g} %."
    ]
    if plan.margin is not None:
        established = planning.needed(lambda seeds: plan.decided(seeds).difference <= plan.margin)
        equivalent = planning.needed(lambda seeds: plan.decided(seeds).margin <= plan.margin)
        lines.append(
            f"A difference of {plan.margin:g} is established {_from(plan, established)}; equal methods are "
            f"called equivalent within {plan.margin:g} {_from(plan, equivalent)}."
        )
    return "\n".join(terminal.sentence(line) for line in lines)


def draw(path: Path, plans: list[Plan]) -> None:
    """Draw what is decided against the number of seeds, a panel a task."""
    tables = {plan.name: pd.DataFrame([vars(plan.decided(seeds)) | {"task": plan.name} for seeds in SEEDS])
              for plan in plans}
    with charts.figure(path, tables, 6.4, 3.6) as panels:
        for (axes, name, numbers), plan in zip(panels, plans, strict=True):
            axes.plot(numbers["seeds"], numbers["difference"], marker="o", color=PALETTE[0],
                      label="difference established")
            axes.plot(numbers["seeds"], numbers["margin"], marker="s", color=PALETTE[1],
                      label="margin of equivalence")
            if plan.margin is not None:
                axes.axhline(plan.margin, color="#222222", linestyle=":", label="declared margin")
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel(f"seeds of each of {plan.methods} methods")
            axes.set_ylabel(name)
            axes.legend()


def _from(plan: Plan, seeds: int | None) -> str:
    if seeds is None:
        return f"by no number of seeds up to {planning.MOST_SEEDS}: more images are needed"
    hours = plan.hours(seeds)
    return f"from {seeds} seeds on" + ("" if hours is None else f" ({hours:.3g} hours)")


def _typed(typed: Typed) -> Plan:
    pilot = Spreads(typed.spread, typed.image_spread or 0.0)
    return Plan("score", pilot, typed.methods or 5, typed.images or 500, typed.margin, typed.seconds, LEVEL)


def _measured(task: str | None, typed: Typed, root: Path) -> list[Plan]:
    params = root / "params.yaml"
    runs, _ = collect(compared(params), trainings(task, params), values("seeds", int, params), root)
    claims, plans = read_claims(params), []
    for name in dict.fromkeys(run.task for run in runs if task in (None, run.task)):
        margin = claims.margin(name, TASKS[name].main)
        trained = [run for run in runs if run.task == name and run.method != paths.START]
        plans.append(_plan(trained, typed, margin))
    return plans


def _plan(runs: list[Run], typed: Typed, margin: float | None) -> Plan:
    """Take from the runs of a task what is not typed."""
    task, main = runs[0].task, runs[0].spec.main
    by_image, fewest = per_image.equally_many(paired(by_method(runs)))
    pilot = planning.spreads(per_image.metric(main, by_image))
    if fewest < 2 and typed.spread is None:
        raise InputError(
            f"{task}: the results have one seed of each method, which says nothing of the spread over seeds; "
            "train another (dvc exp run -S 'seeds=[0,1]'), or give --spread, such as 0.03"
        )
    if typed.spread is not None:
        pilot = replace(pilot, seeds=typed.spread)
    if typed.image_spread is not None:
        pilot = replace(pilot, images=typed.image_spread, runs=0.0)
    measured = [run.resources["train_seconds"] for run in runs if run.resources]
    seconds = typed.seconds if typed.seconds is not None else fmean(measured) if measured else None
    return Plan(
        f"{task} ({main})", pilot, typed.methods or len(by_image),
        typed.images or per_image.images(main, runs[0].result["per_image"]),
        margin if typed.margin is None else typed.margin, seconds, per_image.level(runs[0].settings),
    )


def _check(typed: Typed, plot: Path | None) -> None:
    for name, number in typed._asdict().items():
        if number is not None and not number > 0:
            raise InputError(f"--{name.replace('_', '-')}: expected a number above 0, got {number:g}")
    if typed.methods == 1:
        raise InputError("--methods: expected 2 or more, got 1")
    if plot is not None and plot.suffix.lower() != ".png":
        raise InputError(f"{plot}: expected a name that ends in .png for the plot")
