"""How far a process is with its part of a split, so that a killed one goes on there with the same batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vltune.pipeline.files import read_json, write_json


@dataclass
class Progress:
    """Ids of the rows that are written, files that could not be read with the reason, and the number of both.

    It is kept in a file beside the features until the split is finished.
    """

    path: Path
    tried: int = 0
    ids: list[int | str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, split: str) -> Progress:
        """Read what was kept; nothing is tried where there is none."""
        path = folder / f".{split}-progress.json"
        return cls(path, **read_json(path)) if path.exists() else cls(path)

    def add(self, ids: list[int | str], unreadable: dict[str, str], tried: int) -> None:
        """Count a batch."""
        self.ids += ids
        self.unreadable |= unreadable
        self.tried += tried

    def keep(self) -> None:
        """Write it, whole; the rows must have been written before."""
        write_json(self.path, {"tried": self.tried, "ids": self.ids, "unreadable": self.unreadable})


def finished(folder: Path, split: str) -> bool:
    """Tell whether a split is cached, and put together from the parts of all processes."""
    return (folder / f"{split}.json").exists() and not Progress.of(folder, split).path.exists()
