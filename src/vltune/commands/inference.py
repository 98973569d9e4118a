"""A trained run, ready for inference: the decoder is in memory once, and all runs share it."""

from __future__ import annotations

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
from vltune.pipeline.params import check, load, nearest, read
from vltune.pipeline.paths import DECODER, ENCODER, START
from vltune.pipeline.records import fields
from vltune.pipeline.tasks import TRAININGS, tasks_of
from vltune.prediction.predict import Predict
from vltune.preprocessing import encoder
from vltune.preprocessing.images import Fit, read_image
from vltune.preprocessing.settings import Preprocess, from_signature


def find(root: Path, method: str, task: str, seed: int) -> Path:
    """Give the folder of a run's checkpoint for a task, which a joint training may have made; `method` may be
    any folder of models/, such as an imported one.

    Raises:
        InputError: there is none; lists those that exist, and the command that makes it.
    """
    for training in _trainings(root, task):
        folder = root / paths.checkpoint(method, training, seed)
        if (folder / "checkpoint.json").is_file():
            return folder
    folder = root / paths.checkpoint(method, task, seed)
    runs = sorted(file.parent for file in (root / "models").glob("*/*/checkpoint.json"))
    methods = sorted({*interface.names(), START, *(run.parent.name for run in runs)})
    if method not in methods:
        raise InputError(
            f"unknown method {method!r}{nearest(method, methods)}; the methods are {', '.join(methods)}")
    if task not in TRAININGS:
        raise InputError(
            f"unknown task {task!r}{nearest(task, TRAININGS)}; the tasks are {', '.join(TRAININGS)}")
    existing = ", ".join(f"{run.parent.name} {run.name}" for run in runs) or "none"
    stage = "align" if method == START else f"train_{method}"
    raise InputError(
        f"{folder}: no such checkpoint; existing ones: {existing}. Make it with `dvc repro {stage}` in the "
        "root of the repository, with this task and seed in params.yaml")


def _trainings(root: Path, task: str) -> list[str]:
    """List the trainings that are for a task: those that params.yaml asks for come first, then that of the
    task alone."""
    file = root / "params.yaml"
    listed = read(file).get("tasks") or [] if file.is_file() else []
    fitting = [training for training in TRAININGS if task == training or task in tasks_of(training)]
    return sorted(fitting, key=lambda training: training not in listed)


def described(folder: Path) -> dict[str, Any]:
    """Read the description of a checkpoint; InputError if a key that inference needs is missing."""
    path = folder / "checkpoint.json"
    content = read_json(path)
    fields(path, "the whole", 0, content, ("attach", "settings", "base", "trained_parameters"))
    fields(path, "base", 0, content["base"], ("decoder", "features"))
    signature = content["base"]["features"]
    fields(path, "base.features", 0, signature, ("image_size", "tokens", "width", "pooling", "precision"))
    return content


class Base:
    """A frozen decoder that is read once; the models of all runs share its tensors and are cached."""

    def __init__(self, root: Path, precision: str, folder: Path | None = None) -> None:
        """Load the decoder and its tokenizer from `folder`, by default that of the repository at `root`;
        `precision` as in params.yaml."""
        deterministic()
        self.root, self.device = root, choose_device()
        self.folder = folder or root / DECODER
        self.dtype = choose_dtype(precision, self.device)
        self.decoder = load_decoder(self.folder).to(self.dtype).to(self.device)
        self.tokenizer = Tokenizer(self.folder)
        self._models: dict[tuple[str, str, int], VisionLanguageModel] = {}

    def vlm(self, method: str, task: str, seed: int) -> VisionLanguageModel:
        """Give the model of a run, and keep it.

        Raises:
            InputError: as `open`.
        """
        run = (method, task, seed)
        if run not in self._models:
            self._models[run] = self.open(*run)
        return self._models[run]

    def open(self, method: str, task: str, seed: int) -> VisionLanguageModel:
        """Load the model of a run onto the decoder.

        Raises:
            InputError: there is no such checkpoint, or it was trained on another decoder.
        """
        folder = find(self.root, method, task, seed)
        base = checkpoint.base_of(self.folder, described(folder)["base"]["features"])
        return checkpoint.onto(self.decoder, folder, base, self.dtype).to(self.device)


class FeatureExtractor:
    """The encoder that a run was trained with; its settings are those of the checkpoint."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Load the encoder of the repository at `root` as the checkpoint in `folder` needs it.

        Raises:
            InputError: the repository's encoder is another one; names the first difference.
        """
        signature = described(folder)["base"]["features"]
        settings = from_signature(signature, folder / "checkpoint.json")
        self.encoder, loaded = encoder.load(root / ENCODER, settings)
        if loaded != signature:
            difference = checkpoint.difference(signature, loaded)
            raise InputError(f"{folder}: trained with another encoder: {difference}")

    def encode(self, paths: Sequence[Path], pixel_limit: int) -> tuple[Tensor, list[Path], dict[Path, str]]:
        """Encode a batch of images.

        Returns: features, float16 [b, k, w], on the encoder's device; the paths of these b images; the
            reasons why others cannot be read, by path.
        """
        pixels, readable, unreadable, fit = [], [], {}, self.encoder.fitting()
        for path in paths:
            try:
                pixels.append(_read(path, fit, pixel_limit))
                readable.append(path)
            except InputError as error:
                unreadable[path] = str(error)
        if not pixels:
            return torch.empty(0), readable, unreadable
        batch = torch.from_numpy(np.stack(pixels)).to(self.encoder.mean.device)
        return self.encoder(batch), readable, unreadable


def _read(path: Path, fit: Fit, pixel_limit: int) -> np.ndarray:
    if path.is_file() and not path.stat().st_size:
        raise InputError("the file is empty (0 bytes)")
    return read_image(path, fit, pixel_limit)


class Model:
    """Feature extractor, tokenizer and vision-language model of a run, with their sections of params.yaml."""

    def __init__(
        self, root: Path, method: str, task: str, seed: int, beams: int | None, decoder: Path | None = None
    ) -> None:
        """Load a run of the repository at `root`; `beams`, if given, replaces predict.beams, and the folder
        `decoder` data/base/decoder.

        Raises:
            InputError: there is no such checkpoint, it does not fit
                the repository, or the number of beams is out of range.
        """
        folder = find(root, method, task, seed)
        self.root = root
        self.preprocess_settings = load(Preprocess, "preprocess", root / "params.yaml")
        self.predict_settings = load(Predict, "predict", root / "params.yaml")
        if beams is not None:
            changed = self.predict_settings.model_dump() | {"beams": beams}
            self.predict_settings = check(Predict, "predict", changed, Path("--beams"))
        with ThreadPoolExecutor(1) as pool:  # the decoder's weights are converted while the encoder is built
            loading = pool.submit(Base, root, self.predict_settings.precision, decoder)
            self.extractor = FeatureExtractor(root, folder)
            base = loading.result()
        self.tokenizer, self.vlm = base.tokenizer, base.vlm(method, task, seed)

    def encode(self, paths: Sequence[Path]) -> Iterator[tuple[Tensor, list[Path]]]:
        """Encode images; yield features [b, k, w] and paths in
        batches of predict.batch_size, the last one smaller.

        Images that cannot be read are reported and left out. Batches are those of the stages preprocess and
        predict, so that the images of a data set get the pipeline's captions: in half precision the last
        digits of a feature depend on the batch.
        """
        features: list[Tensor] = []
        encoded: list[Path] = []
        size, limit = self.preprocess_settings.batch_size, self.preprocess_settings.pixel_limit
        batch = slice(0, self.predict_settings.batch_size)
        for start in range(0, len(paths), size):
            new, readable, unreadable = self.extractor.encode(paths[start:start + size], limit)
            output.report(unreadable)
            features += list(new)
            encoded += readable
            while len(encoded) >= batch.stop or (encoded and start + size >= len(paths)):
                yield torch.stack(features[batch]), encoded[batch]
                del features[batch], encoded[batch]
