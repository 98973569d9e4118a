"""Partial work of a training, kept outside every output of DVC so that a killed run can go on.

DVC deletes a stage's outputs before it starts, so the state
lies in .work/<run>/<fingerprint of what it depends on>/.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vltune.pipeline import workers
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint, whole

WORK = Path(".work")


class ResumeState:
    """The state folder of one run, under a lock; the states of other inputs to the same run are deleted.

    Of several processes the first holds the lock and writes; the others read what it has left there.
    """

    def __init__(self, run: str, inputs: Any) -> None:
        """Lock and open the folder.

        Raises:
            InputError: another process is training the same run.
        """
        base = WORK / run
        self.folder = base / fingerprint(inputs)
        self._lock: IO[str] | None = None
        if workers.rank() == 0:
            self._open(base)
        workers.wait()

    def _open(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True)
        self._lock = (base / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(
                f"{base}: another process is training this run; wait for it, or stop it"
            ) from None
        for other in base.iterdir():
            if other.is_dir() and other != self.folder:
                shutil.rmtree(other)
        self.folder.mkdir(exist_ok=True)

    def save(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Keep a state: tensors, and anything that JSON can
        hold. The last one replaces the one before, whole."""
        with whole(self.folder / "state.safetensors") as part:
            save_file(
                {name: tensor.contiguous() for name, tensor in tensors.items()}, part,
                {"facts": json.dumps(facts)},
            )

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Give the state that was kept, or None if there is none or it cannot be read."""
        path = self.folder / "state.safetensors"
        try:
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}, json.loads(
                    file.metadata()["facts"]
                )
        except (FileNotFoundError, SafetensorError):
            return None

    @contextmanager
    def kept(self) -> Iterator[ResumeState]:
        """Unlock if the block ends in an error; the state stays.
        Otherwise the folder stays locked until `done`."""
        try:
            yield self
        except BaseException:
            self.close()
            raise

    def done(self) -> None:
        """Delete the state, for the outputs are written, and unlock."""
        shutil.rmtree(self.folder)
        self.close()

    def close(self) -> None:
        """Unlock; the state stays for the next process."""
        if self._lock:
            self._lock.close()
