"""The names of a decoder's tensors in transformers and here: one table for each family, read both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """A table of names: `layers` comes before the number of a layer in transformers; `parts` are the parts of
    a layer, and `top` the tensors outside the layers, from transformers' names to the decoder's."""

    layers: str
    parts: Mapping[str, str]
    top: Mapping[str, str]

    def ours(self, name: str) -> str:
        """Translate a name of transformers; a name that is not known stays, to be reported."""
        match = re.fullmatch(rf"{re.escape(self.layers)}\.(\d+)\.(.+)\.(weight|bias)", name)
        if match and match[2] in self.parts:
            return f"blocks.{match[1]}.{self.parts[match[2]]}.{match[3]}"
        return self.top.get(name, name)

    def theirs(self, name: str) -> str:
        """Translate a name of the decoder's; KeyError if the table does not have it."""
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
        if match:
            return f"{self.layers}.{match[1]}.{_inverse(self.parts)[match[2]]}.{match[3]}"
        return _inverse(self.top)[name]


def _inverse(table: Mapping[str, str]) -> dict[str, str]:
    return {ours: theirs for theirs, ours in table.items()}
