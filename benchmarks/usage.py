"""Seconds and peak memory of a function, in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Usage(NamedTuple):
    """Seconds of a call, and the process's peak memory in MiB before it and after it."""

    seconds: float
    before: float
    peak: float


def usage(name: str, call: Callable[..., Any], *arguments: Any) -> Usage:
    """Run a function in a process of its own; exit with a line that names it if it fails."""
    context = multiprocessing.get_context("spawn")  # a fork would count this process's memory too
    results: Any = context.Queue()
    process = context.Process(target=_measured, args=(results, call, arguments))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{name}: failed")
    return Usage(*results.get())


def _measured(results: Any, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    before, start = _peak(), time.perf_counter()
    call(*arguments)
    results.put((time.perf_counter() - start, before, _peak()))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
