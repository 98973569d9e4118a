"""A run's model as commands use it: image files in, features out, and the decoder that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vltune.commands import output
from vltune.params import check, load
from vltune.sections import Predict, Preprocess
from vltune.training.using import Base, Eye, find


class Model:
    """Encoder and decoder of a run, with the sections of params.yaml that they work by."""

    def __init__(self, root: Path, method: str, task: str, seed: int, beams: int | None) -> None:
        """Load a run of the repository at `root`; `beams` takes the place of predict.beams if it is given.

        Raises:
            InputError: there is no such checkpoint, it doesn't fit the repository, or the number of beams is not possible.
        """
        folder = find(root, method, task, seed)
        self.looking = load(Preprocess, "preprocess", root / "params.yaml")
        self.saying = load(Predict, "predict", root / "params.yaml")
        if beams is not None:
            self.saying = check(Predict, "predict", self.saying.model_dump() | {"beams": beams}, Path("--beams"))
        base = Base(root, self.saying.precision)
        self.eye, self.tokenizer, self.captioner = Eye(root, folder), base.tokenizer, base.captioner(method, task, seed)

    def see(self, paths: Sequence[Path]) -> Iterator[tuple[Tensor, list[Path]]]:
        """Encode images, and give features [b, k, w] of predict.batch_size images, the last of fewer, with these images.

        Images that cannot be read are reported and left out. Batches are those of the stages preprocess and predict, so that
        a data set's images give what the pipeline gave: in half precision the last digits depend on the batch.
        """
        features: list[Tensor] = []
        waiting: list[Path] = []
        size = self.looking.batch_size
        for start in range(0, len(paths), size):
            found, good, bad = self.eye.look(paths[start:start + size], self.looking.pixel_limit)
            output.report(bad)
            features += list(found)
            waiting += good
            while len(waiting) >= self.saying.batch_size or (waiting and start + size >= len(paths)):
                here = slice(0, self.saying.batch_size)
                yield torch.stack(features[here]), waiting[here]
                del features[here], waiting[here]
