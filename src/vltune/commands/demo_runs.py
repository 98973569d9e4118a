"""The runs of a demo: on one frozen base, with the image encoder, in bounded memory."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vltune.commands.inference import Base, FeatureExtractor, described, find
from vltune.methods import checkpoint
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import TASKS, load, read
from vltune.pipeline.paths import START
from vltune.pipeline.tasks import tasks_of
from vltune.prediction.explain import Attention, check_choice
from vltune.prediction.predict import Predict
from vltune.preprocessing.settings import Preprocess

SMALL = 0.1  # share of the decoder; runs that train less are loaded at the start
KEPT_BYTES = 2**30  # of the runs' own tensors; beyond it the run that was used least recently is released


@dataclass(frozen=True)
class Run:
    """A trained run, of a task or a joint one: the size of what it trained of the decoder, in bytes and as a
    share of the decoder."""

    method: str
    task: str
    seed: int
    own_bytes: int
    share: float


class Runs:
    """Image encoder, decoder and the runs of one seed; `by_task` lists them, small ones first.

    All share the tensors of one decoder. A run adds what it trained, which for full fine-tuning is a decoder
    of its own: it is loaded when it is first used, and released when the runs exceed KEPT_BYTES.
    """

    def __init__(self, root: Path, methods: list[str], seed: int) -> None:
        """Load what is needed for the first caption, from the repository at `root`.

        Raises:
            InputError: a run of `methods` is missing or does not fit the repository. Without `methods`, runs
                that do not fit are reported and left out, and there must be one that fits.
        """
        self.root, params = root, root / "params.yaml"
        self.preprocess_settings = load(Preprocess, "preprocess", params)
        self.predict_settings = load(Predict, "predict", params)
        self.attention_settings = load(Attention, "attention", params)
        folders = _folders(root, methods, seed)
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(Base, root, self.predict_settings.precision)
            self.extractor, folders = _fitting(root, folders, bool(methods))
            self.base = loading.result()
        self.tokenizer = self.base.tokenizer
        check_choice(self.attention_settings, self.base.decoder.config)
        self._kept: OrderedDict[Run, VisionLanguageModel] = OrderedDict()
        runs = [run for folder in folders for run in self._opened(folder, folders[0], bool(methods))]
        self.by_task = {task: [run for run in sorted(runs, key=lambda run: run.share >= SMALL)
                               if task in tasks_of(run.task)] for task in TASKS}

    def _opened(self, folder: Path, first: Path, required: bool) -> Iterator[Run]:
        """Describe the run of a folder, and load it if it is small; nothing if it does not fit."""
        try:
            description, signature = described(folder), described(first)["base"]["features"]
            if description["base"]["features"] != signature:
                difference = checkpoint.difference(description["base"]["features"], signature)
                raise InputError(f"{folder}: trained on other features than {first}: {difference}")
            trained, size = description["trained_parameters"], self.base.decoder.config.parameters
            task, _, seed = folder.name.rpartition("-")
            run = Run(folder.parent.name, task, int(seed), trained * self.base.dtype.itemsize, trained / size)
            if run.share < SMALL:
                self.vlm(run)
        except InputError as error:
            if required:
                raise
            sys.stderr.write(f"left out: {error}\n")
        else:
            yield run

    def names(self) -> list[str]:
        """List the methods, each once."""
        return list(dict.fromkeys(run.method for runs in self.by_task.values() for run in runs))

    def is_loaded(self, run: Run) -> bool:
        """Tell whether a run is in memory."""
        return run in self._kept

    def vlm(self, run: Run) -> VisionLanguageModel:
        """Give the model of a run; if it has to be loaded, others are released until it fits.

        Raises:
            InputError: it was trained on another decoder, or its file is not whole.
        """
        if run not in self._kept:
            while self._kept and run.own_bytes + sum(other.own_bytes for other in self._kept) > KEPT_BYTES:
                self._kept.popitem(last=False)
            self._kept[run] = self.base.open(run.method, run.task, run.seed)
        self._kept.move_to_end(run)
        return self._kept[run]

    def encode(self, path: Path) -> Tensor:
        """Encode an image, as features [1, k, w].

        Raises:
            InputError: it cannot be read; gives the reason.
        """
        features, _, unreadable = self.extractor.encode([path], self.preprocess_settings.pixel_limit)
        for reason in unreadable.values():
            raise InputError(reason)
        return features


def _folders(root: Path, methods: list[str], seed: int) -> list[Path]:
    """List the checkpoints of a seed, the methods of params.yaml first; only those of `methods`, if given.

    Raises:
        InputError: a method has none, or there is none at all.
    """
    listed = read(root / "params.yaml")
    trained = sorted(folder.name for folder in (root / "models").glob("*") if folder.name != START)
    default = dict.fromkeys([*listed["methods"], *listed["extra_methods"], *trained])
    folders = {name: _of_method(root, name, seed) for name in methods or default}
    if methods or not any(folders.values()):
        for name in [name for name in folders if not folders[name]]:
            find(root, name, TASKS[0], seed)  # raises, and says what there is
    return [folder for group in folders.values() for folder in group]


def _of_method(root: Path, method: str, seed: int) -> list[Path]:
    """List the checkpoints of a method, each once: that which `find` gives for each task."""
    folders: dict[Path, None] = {}
    for task in TASKS:
        with suppress(InputError):
            folders[find(root, method, task, seed)] = None
    return list(folders)


def _fitting(root: Path, folders: list[Path], required: bool) -> tuple[FeatureExtractor, list[Path]]:
    """Load the encoder for the first checkpoint that it fits; give it with the checkpoints from there on.

    Raises:
        InputError: it fits none of them, or not the first although that is `required`.
    """
    for i, folder in enumerate(folders[:-1]):
        try:
            return FeatureExtractor(root, folder), folders[i:]
        except InputError as error:
            if required:
                raise
            sys.stderr.write(f"left out: {error}\n")
    return FeatureExtractor(root, folders[-1]), folders[-1:]
