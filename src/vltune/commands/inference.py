"""A trained run, ready for use: one decoder in memory, and on it the model of every run that is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vltune.commands import output
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint, interface
from vltune.model.loading import load_decoder
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import TASKS, check, load, nearest
from vltune.pipeline.paths import DECODER, ENCODER, START
from vltune.pipeline.records import fields
from vltune.prediction.predict import Predict
from vltune.preprocessing import encoder
from vltune.preprocessing.extract import Preprocess

PRECISIONS = {"bfloat16": "bf16", "float32": "float32"}  # how a signature calls them, and how params.yaml does


def find(root: Path, method: str, task: str, seed: int) -> Path:
    """Give the folder of a run's checkpoint; `method` is any folder of models/, so that one from elsewhere can be used too.

    Raises:
        InputError: there is none; says which there are, and how it is made.
    """
    folder = root / paths.checkpoint(method, task, seed)
    if (folder / "checkpoint.json").is_file():
        return folder
    runs = sorted(file.parent for file in (root / "models").glob("*/*/checkpoint.json"))
    methods = sorted({*interface.names(), START, *(run.parent.name for run in runs)})
    if method not in methods:
        raise InputError(f"unknown method {method!r}{nearest(method, methods)}; the methods are {', '.join(methods)}")
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}{nearest(task, TASKS)}; the tasks are {', '.join(TASKS)}")
    there = ", ".join(f"{run.parent.name} {run.name}" for run in runs) or "none"
    stage = "align" if method == START else f"train_{method}"
    raise InputError(f"{folder}: no such checkpoint; those there are: {there}. Make it with `dvc repro {stage}` in the root of the "
                     "repository, with this task and seed in params.yaml")


def described(folder: Path) -> dict[str, Any]:
    """Read the description of a checkpoint; raises InputError if it lacks what its use needs."""
    path = folder / "checkpoint.json"
    content = read_json(path)
    fields(path, "the whole", 0, content, ("attach", "settings", "base", "trained_parameters"))
    fields(path, "base", 0, content["base"], ("decoder", "features"))
    fields(path, "base.features", 0, content["base"]["features"], ("image_size", "tokens", "width", "pooling", "precision"))
    return content


class Base:
    """A frozen decoder that is read once; every run that is asked for shares its tensors and is kept."""

    def __init__(self, root: Path, precision: str) -> None:
        """Load the decoder and its tokenizer from the repository at `root`, in a precision of params.yaml's words."""
        deterministic()
        self.root, self.device = root, choose_device()
        self.dtype = choose_dtype(precision, self.device)
        self.decoder = load_decoder(root / DECODER).to(self.dtype).to(self.device)
        self.tokenizer = Tokenizer(root / DECODER)
        self._models: dict[tuple[str, str, int], VisionLanguageModel] = {}

    def vlm(self, method: str, task: str, seed: int) -> VisionLanguageModel:
        """Give the model of a run.

        Raises:
            InputError: there is no such checkpoint, or it was trained on another decoder.
        """
        run = (method, task, seed)
        if run not in self._models:
            folder = find(self.root, *run)
            base = checkpoint.base_of(self.root / DECODER, described(folder)["base"]["features"])
            self._models[run] = checkpoint.onto(self.decoder, folder, base, self.dtype).to(self.device)
        return self._models[run]


class FeatureExtractor:
    """The encoder that the features of a run came from: its images' size, grid and precision stand in the checkpoint."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Load the encoder of the repository at `root` as the checkpoint in `folder` needs it.

        Raises:
            InputError: the repository's encoder is another one; says in what they differ.
        """
        signature = described(folder)["base"]["features"]
        self.size = signature["image_size"]
        precision = PRECISIONS.get(signature["precision"], signature["precision"])
        self.encoder, here = encoder.load(root / ENCODER, self.size, math.isqrt(signature["tokens"]), signature["pooling"], precision)
        if here != signature:
            raise InputError(f"{folder}: trained with another encoder: {checkpoint.difference(signature, here)}")

    def encode(self, paths: Sequence[Path], pixel_limit: int) -> tuple[Tensor, list[Path], dict[Path, str]]:
        """Encode a batch of images.

        Returns: features, float16 [b, k, w], on the encoder's device; the b images that they are of; those that cannot be
            read, with the reason.
        """
        pixels, good, bad = [], [], {}
        for path in paths:
            try:
                pixels.append(_read(path, self.size, pixel_limit))
                good.append(path)
            except InputError as error:
                bad[path] = str(error)
        if not pixels:
            return torch.empty(0), good, bad
        return self.encoder(torch.from_numpy(np.stack(pixels)).to(self.encoder.mean.device)), good, bad


def _read(path: Path, size: int, pixel_limit: int) -> np.ndarray:
    if path.is_file() and not path.stat().st_size:
        raise InputError("the file is empty (0 bytes)")
    return encoder.read_image(path, size, pixel_limit)


class Model:
    """Encoder and decoder of a run, with the sections of params.yaml that they work by."""

    def __init__(self, root: Path, method: str, task: str, seed: int, beams: int | None) -> None:
        """Load a run of the repository at `root`; `beams` takes the place of predict.beams if it is given.

        Raises:
            InputError: there is no such checkpoint, it doesn't fit the repository, or the number of beams is not possible.
        """
        folder = find(root, method, task, seed)
        self.preprocess = load(Preprocess, "preprocess", root / "params.yaml")
        self.predict = load(Predict, "predict", root / "params.yaml")
        if beams is not None:
            self.predict = check(Predict, "predict", self.predict.model_dump() | {"beams": beams}, Path("--beams"))
        with ThreadPoolExecutor(1) as pool:  # the decoder's weights are converted while the encoder is built
            loading = pool.submit(Base, root, self.predict.precision)
            self.eye = FeatureExtractor(root, folder)
            base = loading.result()
        self.tokenizer, self.vlm = base.tokenizer, base.vlm(method, task, seed)

    def see(self, paths: Sequence[Path]) -> Iterator[tuple[Tensor, list[Path]]]:
        """Encode images, and give features [b, k, w] of predict.batch_size images, the last of fewer, with these images.

        Images that cannot be read are reported and left out. Batches are those of the stages preprocess and predict, so that
        a data set's images give what the pipeline gave: in half precision the last digits depend on the batch.
        """
        features: list[Tensor] = []
        waiting: list[Path] = []
        size = self.preprocess.batch_size
        for start in range(0, len(paths), size):
            found, good, bad = self.eye.encode(paths[start:start + size], self.preprocess.pixel_limit)
            output.report(bad)
            features += list(found)
            waiting += good
            while len(waiting) >= self.predict.batch_size or (waiting and start + size >= len(paths)):
                here = slice(0, self.predict.batch_size)
                yield torch.stack(features[here]), waiting[here]
                del features[here], waiting[here]
