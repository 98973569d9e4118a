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

    The parent is dvc itself, since the commands of dvc.yaml begin with `exec`.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it died between the two calls
        sys.exit("the parent process has ended")


def run(main: Callable[[], None]) -> None:
    """Run `main`; turn wrong input, a full disk and Ctrl-C into one line on stderr and a non-zero exit."""
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
