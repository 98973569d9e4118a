"""How long the stages take: seconds from earlier runs, and what is left of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean

from vltune.comparison import frames
from vltune.pipeline.files import write_table

COMMITTED = Path("results/stage_seconds.csv")  # of the machine that made the committed results
OWN = Path(".work/stage_seconds.csv")  # of earlier runs here
COLUMNS = [
    frames.Column("stage", frames.TEXT, "", "its name in the graph"),
    frames.Column("seconds", frames.REAL, "s", "wall-clock time"),
]
ENOUGH = 20.0  # seconds: from here on, finished stages tell how fast this machine is


def read(root: Path = Path()) -> dict[str, float]:
    """Give the seconds of each stage that has been measured, here rather than elsewhere; often none.

    Raises:
        InputError: a table is of the wrong form.
    """
    seconds: dict[str, float] = {}
    for path in (root / COMMITTED, root / OWN):
        if path.is_file():
            table = frames.read(path, COLUMNS)
            seconds |= dict(zip(table["stage"], table["seconds"], strict=True))
    return seconds


def record(measured: Mapping[str, float], root: Path = Path()) -> None:
    """Keep the seconds of the stages that ran, beside those of earlier runs here."""
    path = root / OWN
    earlier = frames.records(frames.read(path, COLUMNS)) if path.is_file() else []
    rows = {row["stage"]: row["seconds"] for row in earlier} | dict(measured)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, frames.frame(COLUMNS, [{"stage": name, "seconds": x} for name, x in rows.items()]))


def expected(stage: str, seconds: Mapping[str, float]) -> float | None:
    """Give the seconds that a stage is expected to take: its own, else the mean of its group, such as
    train_lora, else of its script's stages; None if none of them has been measured."""
    group, script = stage.split("@")[0], re.split("[@_]", stage)[0]
    alike = [[x for name, x in seconds.items() if name == stage],
             [x for name, x in seconds.items() if name.split("@")[0] == group],
             [x for name, x in seconds.items() if re.split("[@_]", name)[0] == script]]
    return next((fmean(known) for known in alike if known), None)


class Remaining:
    """The stages of a run that are still to come, and how long they take at the speed of those that ran."""

    def __init__(self, stages: Iterable[str], seconds: Mapping[str, float]) -> None:
        self.expected = {stage: expected(stage, seconds) for stage in stages}
        self.open = dict.fromkeys(self.expected)
        self.measured: dict[str, float] = {}

    def finish(self, stage: str, seconds: float | None) -> None:
        """Take out a stage; `seconds` is None if it did not have to run."""
        self.open.pop(stage, None)
        if seconds is not None:
            self.measured[stage] = seconds

    @property
    def slowness(self) -> float:
        """Measured by expected seconds of the stages that ran; 1 until they tell enough."""
        pairs = [(x, self.expected.get(stage)) for stage, x in self.measured.items()]
        took, foreseen = (sum(pair[i] for pair in pairs if pair[1] is not None) for i in (0, 1))
        return took / foreseen if min(took, foreseen) >= ENOUGH else 1.0

    @property
    def seconds(self) -> float | None:
        """Seconds that are left; None if a stage to come has never been measured."""
        foreseen = [self.expected[stage] for stage in self.open]
        return None if None in foreseen else self.slowness * sum(foreseen)


def words(seconds: float) -> str:
    """Write about how long something takes: in minutes, from 100 on in hours."""
    minutes = round(seconds / 60)
    if minutes == 0:
        return "less than a minute"
    hours = f"{minutes // 60} h {minutes % 60} min"
    return "about " + (hours if minutes >= 100 else "a minute" if minutes == 1 else f"{minutes} minutes")
