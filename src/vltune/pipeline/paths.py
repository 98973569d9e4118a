"""Paths of the stages' outputs, relative to the root of the repository, as declared in dvc.yaml."""

from __future__ import annotations

from pathlib import Path

RAW, FEATURES = Path("data/raw"), Path("data/features")
ENCODER, DECODER = Path("data/base/encoder"), Path("data/base/decoder")
CLIP_CACHE = Path(".work/clip")  # embeddings that all evaluations share
START = "aligned"  # the run with the aligned projector and no training, from which all trainings start


def images(split: str) -> Path:
    """Give the folder of a split's images."""
    return RAW / "images" / split


def captions(split: str) -> Path:
    """Give the file of a split's images and reference captions."""
    return RAW / f"captions_{split}.json"


def questions(split: str) -> tuple[Path, Path]:
    """Give the files of a split's questions and answers; they are empty where a data set has none."""
    return RAW / f"questions_{split}.json", RAW / f"answers_{split}.json"


def scenes(split: str) -> Path:
    """Give the file of what is in each image of a split; drawn data sets alone have it."""
    return RAW / f"scenes_{split}.json"


def training_texts() -> list[Path]:
    """Give the files of texts that a training reads: those of train and val, never those of test."""
    return [path for split in ("train", "val") for path in (captions(split), *questions(split))]


def checkpoint(method: str, task: str, seed: int) -> Path:
    """Give the folder of a run's checkpoint."""
    return Path("models") / method / f"{task}-{seed}"


def curve(method: str, task: str, seed: int) -> Path:
    """Give the table of a run's losses."""
    return Path("plots/curves") / method / f"{task}-{seed}.tsv"


def resources(method: str, task: str, seed: int) -> Path:
    """Give the file of a training's time, memory and environment."""
    return Path("data/resources") / method / f"{task}-{seed}.json"


def speed(method: str, task: str, seed: int) -> Path:
    """Give the file of how fast a run generates."""
    return Path("data/speed") / method / f"{task}-{seed}.json"


def predictions(method: str, task: str, seed: int) -> Path:
    """Give the file of a run's predictions on the test images."""
    return Path("data/predictions") / f"{task}-{method}-{seed}.json"


def result(method: str, task: str, seed: int) -> Path:
    """Give the file of a run's scores."""
    return Path("data/results") / method / f"{task}-{seed}.json"
