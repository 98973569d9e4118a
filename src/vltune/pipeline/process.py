"""Run a stage or a command: it ends with its parent process, and reports wrong input without a traceback."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable

from vltune.pipeline.errors import InputError


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends
    (PR_SET_PDEATHSIG): a killed dvc does not kill its children.

    The parent is dvc itself, since the commands of dvc.yaml begin with `exec`. A stage calls this before it
    imports torch, which takes seconds: so this file imports nothing that is slow.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it died between the two calls
        sys.exit("the parent process has ended")


GIT_HOOK_VARIABLES = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX")


def outside_git() -> dict[str, str]:
    """Give this process's environment without a git hook's variables: they name the hook's repository."""
    return {name: value for name, value in os.environ.items() if name not in GIT_HOOK_VARIABLES}


# Parameters of mallopt(3) in glibc's malloc.h, and their values here.
MALLOC_PARAMETERS = {
    -4: 0,  # M_MMAP_MAX: large blocks come from the heap too
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD, bytes: the free top of the heap is kept
    -2: 2**26,  # M_TOP_PAD, bytes: the heap grows in steps of 64 MiB
}


def keep_freed_memory() -> None:
    """Have glibc's malloc reuse the memory that a training step frees.

    By default it returns large blocks to the kernel at once, and every page is cleared again when the next
    step asks for it: a tenth of a step's time. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in MALLOC_PARAMETERS.items():
            mallopt(parameter, value)


def run(main: Callable[[], None]) -> None:
    """Run `main`; turn wrong input, a full disk and Ctrl-C into one line on stderr and a non-zero exit."""
    keep_freed_memory()
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            sys.exit(f"error: the disk is full ({error.filename or 'while writing'}): free some space and "
                     "run again; what was finished is kept")
        if error.filename is None:
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}")
