"""Run a stage in several processes: torch's own torchrun starts them, and ends all if one of them fails.

`launch.processes` of params.yaml is their number on this machine; torchrun's own variables (PET_NNODES and
so on) join several machines, see docs/scale.md. A process that fails writes why into the error file that
torchrun gives it, and the process that has started it prints the cause, once.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import Field

from vltune.pipeline import process
from vltune.pipeline.params import Section, load


class Launch(Section):
    """Section `launch`: how stages are run, not what they compute, so no stage depends on it."""

    processes: int = Field(ge=1)


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` as `process.run` does: here, or in each of `launch.processes` workers."""
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun has started this process
        _work(main)
    else:
        process.run(partial(_start, main))


def _start(main: Callable[[], None]) -> None:
    count = load(Launch, "launch").processes
    several_machines = os.environ.get("PET_NNODES", "1") != "1"
    if (count == 1 and not several_machines) or {"-h", "--help"} & set(sys.argv):
        main()
    else:
        process.die_with_parent()
        _torchrun(count, several_machines)


def _torchrun(count: int, several_machines: bool) -> None:
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from vltune.pipeline.workers import cores

    logging.getLogger("torch").setLevel(logging.CRITICAL)  # the cause is printed below, once
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    where = [] if several_machines else ["--standalone"]
    try:
        torchrun.run(torchrun.parse_args([*where, f"--nproc-per-node={count}", *sys.argv]))
    except ChildFailedError as error:
        sys.exit(explain(error.failures))
    except SignalException as error:
        sys.stderr.write("interrupted\n")
        sys.exit(128 + error.sigval)


def explain(failures: dict[int, Any]) -> str:
    """Say in a line why a run has ended; an unexpected exception gives its traceback too.

    If a process ends, the others fail too, as they wait for it in vain, or torchrun stops them by SIGTERM. So
    the cause is a process that another signal has ended, if there is one, else one that has reported wrong
    input, else the first with another exception.

    Args: failures, torch's ProcessFailure by rank.
    """
    def order(rank: int) -> tuple[bool, bool, bool, int]:
        failure = failures[rank]
        stopped = failure.exitcode == -signal.SIGTERM
        return stopped, failure.exitcode >= 0, not _reported(failure).startswith("error: "), rank

    rank = min(failures, key=order)
    failure, reported = failures[rank], _reported(failures[rank])
    if failure.exitcode < 0:
        reason = f"was ended by {failure.signal_name()}"
        if failure.signal_name() == "SIGKILL":
            reason += ", as by a system that is out of memory"
        return (f"error: process {rank} {reason}, and the others were stopped; run the same command again: a "
                "training resumes from its last saved state")
    if reported.startswith("error: "):
        return reported
    return f"{reported or f'exit code {failure.exitcode}'}\nerror: process {rank} has failed; see above"


def _reported(failure: Any) -> str:
    """Give what a worker has left in its error file: a line on wrong input, or a traceback; empty if none."""
    if not isinstance(failure.message, dict):
        return ""
    text = failure.message["message"].removeprefix("SystemExit: ")
    return text if text.startswith("error: ") else failure.message["extraInfo"]["py_callstack"]


def _work(main: Callable[[], None]) -> None:
    """Run `main` in a worker, as one of a group; leave an error to the process that has started it."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    from vltune.pipeline.workers import joined

    try:
        with joined():
            process.run(main)
    except BaseException as error:
        get_error_handler().record_exception(error)
        raise SystemExit(1) from error
