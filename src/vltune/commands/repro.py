"""make repro: the work of `dvc repro`, with its progress, and the answer at the end.

DVC runs in this process, so that Ctrl-C, a failing stage, a kill and the stages' own output do what they do
under `dvc repro`; what is read here are the records of its log.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo, scm_context
from dvc.stage import cache
from dvc.stage import logger as stages
from dvc.stage import run as running
from dvc.ui import ui
from rich.console import Console

from vltune.commands import conclusion, stage_times, terminal
from vltune.commands.stage_times import Remaining, words
from vltune.pipeline.process import run

FAILED, INTERRUPTED = 255, 252  # exit codes of `dvc repro`
log = logging.getLogger("dvc")


class Progress(logging.Filter):
    """Reads DVC's log: writes how far the run is before each stage, and leaves out what only dvc needs."""

    def __init__(self, described: Mapping[str, str], remaining: Remaining) -> None:
        super().__init__()
        self.described, self.remaining = described, remaining
        self.total = len(remaining.open)
        self.started: tuple[str, float] | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Give whether DVC's line is shown."""
        if record.levelno != logging.INFO:
            return True
        if record.name == scm_context.logger.name:
            return False  # which files to add to git
        message = record.getMessage()
        if message.startswith("Running stage "):
            self._start(record.args[0])
        elif message.endswith("didn't change, skipping") or "is cached - skipping run" in message:
            self.end()
            self.remaining.finish(record.args[0], None)
            return "is cached" in message
        return True

    def end(self) -> None:
        """Take the time of the stage that ran, if it has not been taken."""
        if self.started:
            name, start = self.started
            self.remaining.finish(name, time.monotonic() - start)
            self.started = None

    def _start(self, stage: str) -> None:
        self.end()
        self.started = (stage, time.monotonic())
        number = self.total - len(self.remaining.open) + 1
        what = ", ".join(filter(None, (stage, self.described.get(stage))))
        say(f"stage {number} of {self.total}: {what}{left(self.remaining)}")


def left(remaining: Remaining) -> str:
    """Say how long the rest takes, if that is known."""
    return "" if remaining.seconds is None else f"; {words(remaining.seconds)} left"


def say(line: str) -> None:
    """Write a line of this program between those of DVC."""
    Console(highlight=False).print(line, style="bold", markup=False, soft_wrap=True)


def to_run(repo: Repo) -> list[str]:
    """Give the stages that have to run, as far as is known before: changed ones and all that follow."""
    changed = repo.status()
    graph = repo.index.graph  # from a stage to those that it depends on
    names = {stage.addressing: stage for stage in graph}
    first = {names[name] for name in changed if name in names}
    after = set().union(*(nx.ancestors(graph, stage) for stage in first))
    return [stage.addressing for stage in nx.dfs_postorder_nodes(graph) if stage in first | after]


def reproduce() -> bool:
    """Run the whole graph with its progress; give whether a stage ran.

    Raises:
        DvcException: a stage has failed, or the repository is of the wrong form.
    """
    with Repo() as repo:
        remaining = Remaining(to_run(repo), stage_times.read())
        described = {stage.addressing: stage.desc for stage in repo.index.stages}
        if remaining.open:
            say(f"{len(described)} stages, {len(remaining.open)} to run{left(remaining)}")
        progress = Progress(described, remaining)
        loggers = [running.logger, stages, cache.logger, scm_context.logger]
        for logger in loggers:
            logger.addFilter(progress)
        try:
            ran = repo.reproduce()
            progress.end()
        finally:
            stage_times.record(remaining.measured)
            for logger in loggers:
                logger.removeFilter(progress)
    return bool(ran)


def main() -> None:
    """Reproduce, and write the answer; exit codes and messages of a failure are those of `dvc repro`."""
    ui.enable()
    try:
        ran = reproduce()
    except KeyboardInterrupt:
        log.exception("interrupted by the user")
        sys.exit(INTERRUPTED)
    except DvcException:
        log.exception("")
        sys.exit(FAILED)
    if not ran:
        say("Data and pipelines are up to date.")
    terminal.show("\n" + conclusion.conclusion())


if __name__ == "__main__":
    run(main)
