"""A project that can be trained in seconds: a tiny base, random features and a few captions, as preprocess
leaves them, and the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import repository
from vltune.data.features import finish, writing
from vltune.methods import interface
from vltune.pipeline import paths
from vltune.pipeline.files import write_json
from vltune.pipeline.params import check
from vltune.pipeline.questions import Question, write_questions
from vltune.pipeline.records import Caption, Captions, Image, write_captions
from vltune.training.align import Align, ProjectorSettings, write_start
from vltune.training.train import Train

SIGNATURE = {"tokens": 4, "width": 32, "precision": "float32"}
TRAIN = Train(
    steps=4, batch_size=3, texts_per_image=2, weight_decay=0.01, warmup_share=0.2, clip_norm=1.0,
    evaluations=2, patience=0, checkpoint_seconds=0.0, accumulate=1,
    compile="auto", activation_checkpointing=False, precision="float32",
)
ALIGN = Align(
    ridge=0.01, words=100, std_exponent=0.5, logit_scale=5.0, scale=1.0, position_scale=0.5, tags=2,
    tag_logit_scale=5.0, max_images=10,
)
PROJECTOR = ProjectorSettings(kind="words", start="ridge", fusion="tokens", prompt="none")
THINGS = ("cat", "dog", "tree", "hat", "cup")


def make(tiny: Path, projector: ProjectorSettings = PROJECTOR) -> None:
    """Write data and the start into the working directory: 12 images to train, 5 to validate, and no test
    split."""
    Path("data").mkdir()
    Path("data/base").symlink_to(tiny)
    for split, count in (("train", 12), ("val", 5)):
        write_split(split, count)
    write_json(paths.FEATURES / "signature.json", SIGNATURE)
    for task in ("caption", "vqa"):
        write_start(task, ALIGN, projector)


def write_split(split: str, count: int) -> None:
    """Write a split of `count` images, each of one thing."""
    seen = [THINGS[i % len(THINGS)] for i in range(count)]
    said = [
        Caption(2 * i + j, i, f"{start} {thing}")
        for i, thing in enumerate(seen)
        for j, start in enumerate(("a", "there is a"))
    ]
    write_captions(paths.captions(split), Captions([Image(i, f"{i}.png") for i in range(count)], said), {})
    asked = [Question(i, i, "what is it?", "what", "other", 10 * [thing]) for i, thing in enumerate(seen)]
    write_questions(*paths.questions(split), asked, {})
    with writing(paths.FEATURES, split, count, SIGNATURE["tokens"], SIGNATURE["width"]) as array:
        array[:] = np.random.default_rng(count).normal(size=array.shape)
    finish(paths.FEATURES, split, list(range(count)), {})


def settings_of(method: str, **change: object) -> interface.Method:
    """Small settings of a method."""
    return check(interface.method(method), method, repository.RATES | repository.SETTINGS[method] | change)
