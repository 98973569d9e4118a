"""Partial work of a stage, kept outside every output of DVC so that a killed stage can go on.

DVC deletes a stage's outputs before it starts, so the work lies in .work/<name>/<fingerprint of what it
depends on>/.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from vltune.pipeline import workers
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint

WORK = Path(".work")


class WorkFolder:
    """The folder of one piece of work, under a lock; folders of other inputs to the same work are deleted.

    Of several processes the first holds the lock.
    """

    def __init__(self, name: str, inputs: Any, doing: str) -> None:
        """Lock and open the folder; `doing` tells what another process that holds the lock does.

        Raises:
            InputError: another process holds the lock.
        """
        base = WORK / name
        self.folder = base / fingerprint(inputs)
        self._lock: IO[str] | None = None
        if workers.rank() == 0:
            self._open(base, doing)
        workers.wait()

    def _open(self, base: Path, doing: str) -> None:
        base.mkdir(parents=True, exist_ok=True)
        self._lock = (base / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(f"{base}: another process is {doing}; wait for it, or stop it") from None
        for other in base.iterdir():
            if other.is_dir() and other != self.folder:
                shutil.rmtree(other)
        self.folder.mkdir(exist_ok=True)

    @contextmanager
    def kept(self) -> Iterator[Self]:
        """Unlock if the block ends in an error; what is in the folder stays.
        Otherwise the folder stays locked until `done`."""
        try:
            yield self
        except BaseException:
            self.close()
            raise

    def become(self, output: Path) -> None:
        """Put the folder in the place of an output, and unlock."""
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.folder, output)
        self.close()

    def done(self) -> None:
        """Delete the folder, for the outputs are written, and unlock."""
        shutil.rmtree(self.folder)
        self.close()

    def close(self) -> None:
        """Unlock; what is in the folder stays for the next process."""
        if self._lock:
            self._lock.close()
