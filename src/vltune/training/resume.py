"""The state of a training that is not finished, from which a killed run goes on."""

from __future__ import annotations

import json
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vltune.pipeline.files import whole
from vltune.pipeline.work import WorkFolder


class ResumeState(WorkFolder):
    """The state folder of one run, which the first of several processes writes, and all read."""

    def __init__(self, run: str, inputs: Any) -> None:
        """Lock and open the folder; raises InputError if another process is training the same run."""
        super().__init__(run, inputs, "training this run")

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
