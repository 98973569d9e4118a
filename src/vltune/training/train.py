"""One run from base to checkpoint: build, attach, start from the projector of align, train, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from pydantic import Field

from vltune.data.examples import EXAMPLES, Example
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint, interface
from vltune.methods.interface import Method
from vltune.model.loading import read_config
from vltune.model.precision import choose_device, choose_dtype, deterministic, device_name
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths, workers
from vltune.pipeline.environment import describe
from vltune.pipeline.files import fingerprint, read_json, sha256, write_json, write_table
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.pipeline.randomness import derive
from vltune.training import budget as budgets
from vltune.training.acceleration import accelerate
from vltune.training.audit import Audit
from vltune.training.budget import Budget
from vltune.training.loop import Schedule, Trainer
from vltune.training.resume import ResumeState


class Train(Section):
    """Section `train`: what all methods share; learning rates stand in the methods' own sections."""

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    texts_per_image: int = Field(ge=1)
    weight_decay: float = Field(ge=0)
    warmup_share: float = Field(ge=0, le=1)
    clip_norm: float = Field(gt=0)
    evaluations: int = Field(ge=1)
    patience: int = Field(ge=0)
    checkpoint_seconds: float = Field(ge=0)
    accumulate: int = Field(ge=1)
    compile: Literal["auto", "on", "off"]
    activation_checkpointing: bool
    precision: Literal["auto", "bf16", "float32"]

    def conditions(self) -> dict[str, Any]:
        """Give what two runs that are compared must have in common: what is computed, not how."""
        return self.model_dump(exclude={"accumulate", "compile", "activation_checkpointing"})


COLUMNS = ["step", "captions", "loss", "val_loss"]


@dataclass(frozen=True)
class Split:
    """A split as training sees it: features, and the examples whose images have some."""

    features: Features
    examples: list[Example]

    @classmethod
    def read(cls, task: str, split: str, tokenizer: Tokenizer) -> Split:
        """Read a split; training reads train and val, never test."""
        features = Features(FEATURES, split)
        return cls(features, EXAMPLES[task](split, tokenizer, set(features.ids)))

    def suffixed(self, suffix: Sequence[int]) -> Split:
        """Give the split with the suffix of a chat form behind every prompt."""
        if not suffix:
            return self
        return Split(self.features, [
            replace(example, texts=[replace(text, prompt=[*text.prompt, *suffix]) for text in example.texts])
            for example in self.examples])


@dataclass(frozen=True)
class TrainedRun:
    """What a training has reached, nothing of it written: the
    tensors' names in the model, and what describes them."""

    vlm: VisionLanguageModel
    names: list[str]
    description: dict[str, Any]
    resources: dict[str, Any]
    state: ResumeState


def train_stage(
    method: str, settings: Method, task: str, seed: int, recipe: Train, budget: Budget | None
) -> None:
    """Train one method on one task with one seed; write models/, plots/curves/ and data/resources/.

    Raises:
        InputError: no size reaches the budget, or as `train` does.
    """
    config = read_config(DECODER / "config.json")
    sized, solved = budgets.solve(settings.of_task(task), config, budget)
    start = paths.checkpoint(paths.START, task, 0) / "checkpoint.json"
    budgets.check_course(sized, config, budget, read_json(start)["projector_parameters"])
    curve = paths.curve(method, task, seed)

    def write_curve(rows: list[dict[str, Any]]) -> None:
        if workers.rank() == 0:
            write_table(curve, pd.DataFrame(rows, columns=COLUMNS, dtype=object), "\t")

    trained = train(method, sized, task, seed, recipe, f"{method}-{task}-{seed}", write_curve)
    if workers.rank():
        return
    tensors = checkpoint.tensors_of(trained.vlm, trained.names)
    checkpoint.write(paths.checkpoint(method, task, seed), tensors, trained.description | {"budget": solved})
    write_json(paths.resources(method, task, seed), trained.resources)
    trained.state.done()


def train(
    method: str, settings: Method, task: str, seed: int, recipe: Train, run: str,
    write_curve: Callable[[list[dict[str, Any]]], None]
) -> TrainedRun:
    """Train one method from the aligned start, watched by the
    audit; `run` names the folder in .work that keeps the state.

    Raises:
        InputError: the data, the start or the parameters do not fit
            each other, the training diverges, or the audit fails.
    """
    deterministic()
    device = choose_device()
    dtype = choose_dtype(recipe.precision, device)
    train_split, val_split = (Split.read(task, name, Tokenizer(DECODER)) for name in ("train", "val"))
    base = checkpoint.base_of(DECODER, train_split.features.signature)
    start = paths.checkpoint(paths.START, task, 0)
    vlm = checkpoint.begin(start, DECODER, base, dtype)
    train_split, val_split = (split.suffixed(vlm.template.suffix) for split in (train_split, val_split))
    decoder, audit = vlm.decoder, Audit(vlm.decoder)
    generator = torch.Generator().manual_seed(derive(seed, f"initial weights of {method}"))
    names = interface.attach(decoder, settings, generator)
    trained = interface.trained_parameters(decoder, names)
    count = settings.count(decoder.config)
    audit.attached(decoder, trained, count)
    params = fingerprint([method, settings.model_dump(), recipe.conditions()])
    accelerate(decoder, recipe.compile, recipe.activation_checkpointing, recipe.steps, device)
    trainer = Trainer(vlm, trained, _schedule(settings, recipe, seed), device)
    inputs = [params, seed, str(dtype), base, vars(vlm.template), *_versions(task)]
    with ResumeState(run, inputs).kept() as state:
        meter = trainer.run(
            train_split.examples, train_split.features, val_split.examples, val_split.features, state,
            write_curve, f"{method} {task} seed {seed}")
        reached = trainer.state
        audited = audit.finished(
            decoder, trainer.parameters, trainer.optimizer.state, reached.step, reached.best_step
        )
    description = {
        "method": method, "attach": method, "task": task, "seed": seed, "step": reached.best_step,
        "last_step": reached.step, "val_loss": round(reached.best_loss, 6), "params": params, "base": base,
        "settings": settings.model_dump(), "precision": str(dtype).removeprefix("torch."),
        "trained_parameters": count, "trained_share": count / decoder.config.parameters,
        **_of_projector(vlm, start), "audit": audited,
    }
    resources = meter.summary(device) | {
        "environment": describe(torch.get_num_threads(), device_name(device), workers.count())
    }
    return TrainedRun(vlm, settings.fold(decoder, names), description, resources, state)


def _of_projector(vlm: VisionLanguageModel, start: Path) -> dict[str, Any]:
    """What a checkpoint says of its projector: its size, and what the start is."""
    content = read_json(start / "checkpoint.json")
    own = {key: content.get(key) for key in ("projector", "template")}
    return {"projector_parameters": sum(p.numel() for p in vlm.projector.parameters())} | own


def _schedule(settings: Method, recipe: Train, seed: int) -> Schedule:
    return Schedule(
        learning_rate=settings.learning_rate, projector_learning_rate=settings.projector_learning_rate,
        seed=seed, **recipe.model_dump(exclude={"precision", "compile", "activation_checkpointing"}),
    )


def _versions(task: str) -> list[Any]:
    """What a kept state depends on besides the parameters:
    a training must not go on with other data or code."""
    data = [*paths.training_texts(), paths.checkpoint(paths.START, task, 0) / "model.safetensors"]
    code = sorted(Path(__file__).parents[1].rglob("*.py"))
    return [*(sha256(file) for file in [*data, *code]), torch.__version__]
