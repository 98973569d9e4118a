"""One run from base to checkpoint: build, attach, start from the aligned connector, train, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import vltune
from vltune import layout
from vltune.data.examples import EXAMPLES, Example
from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.environment import describe
from vltune.files import fingerprint, sha256, write_json, write_table
from vltune.layout import DECODER, FEATURES
from vltune.methods import interface
from vltune.model.captioner import Captioner
from vltune.model.loading import read_shape
from vltune.model.precision import choose_device, choose_dtype, deterministic, device_name
from vltune.randomness import derive
from vltune.sections import Budget, Train
from vltune.training import budget as budgets
from vltune.training import checkpoint
from vltune.training.audit import Audit
from vltune.training.loop import Schedule, Trainer
from vltune.training.scratch import Scratch

COLUMNS = ["step", "captions", "loss", "val_loss"]


@dataclass(frozen=True)
class Part:
    """A split as training sees it: features, and the examples whose images have some."""

    features: Features
    examples: list[Example]

    @classmethod
    def read(cls, task: str, split: str, tokenizer: Tokenizer) -> Part:
        """Read a split; training reads train and val, never test."""
        features = Features(FEATURES, split)
        return cls(features, EXAMPLES[task](split, tokenizer, set(features.ids)))


@dataclass(frozen=True)
class Learnt:
    """What a training has reached, nothing of it written: the tensors' names in the captioner, and what describes them."""

    captioner: Captioner
    names: list[str]
    description: dict[str, Any]
    resources: dict[str, Any]
    scratch: Scratch


def fit(method: str, settings: interface.Settings, task: str, seed: int, train: Train, budget: Budget | None) -> None:
    """Train one method on one task with one seed; write models/, plots/curves/ and data/resources/.

    Raises:
        InputError: no size reaches the budget, or as `learn` does.
    """
    sized, solved = budgets.solve(method, settings, read_shape(DECODER / "config.json"), budget)
    curve = layout.curve(method, task, seed)
    learnt = learn(method, sized, task, seed, train, f"{method}-{task}-{seed}", lambda rows: write_table(curve, rows, COLUMNS, "\t"))
    tensors = checkpoint.tensors_of(learnt.captioner, learnt.names)
    checkpoint.write(layout.checkpoint(method, task, seed), tensors, learnt.description | {"budget": solved})
    write_json(layout.resources(method, task, seed), learnt.resources)
    learnt.scratch.done()


def learn(
    method: str, settings: interface.Settings, task: str, seed: int, train: Train, run: str,
    write_curve: Callable[[list[dict[str, Any]]], None]
) -> Learnt:
    """Train one method from the aligned start, watched by the audit; `run` names the folder in .work that keeps the state.

    Raises:
        InputError: the data, the start or the parameters do not fit each other, the training diverges, or the audit fails.
    """
    deterministic()
    device = choose_device()
    dtype = choose_dtype(train.precision, device)
    tokenizer = Tokenizer(DECODER)
    part, val = Part.read(task, "train", tokenizer), Part.read(task, "val", tokenizer)
    base = checkpoint.base_of(DECODER, part.features.signature)
    captioner = checkpoint.begin(layout.checkpoint(layout.START, task, 0), DECODER, base, dtype)
    decoder, of_decoder = captioner.decoder, sum(p.numel() for p in captioner.decoder.parameters())
    audit = Audit(decoder)
    names = interface.attach(decoder, method, settings, torch.Generator().manual_seed(derive(seed, f"initial weights of {method}")))
    trained = interface.trained_parameters(decoder, names)
    count = interface.module(method).count(decoder.shape, settings)
    audit.attached(decoder, trained, count)
    params = fingerprint([method, settings.model_dump(), train.model_dump()])
    trainer = Trainer(captioner, trained, _schedule(settings, train, seed), device)
    with Scratch(run, [params, seed, str(dtype), base, *_versions(task)]).kept() as scratch:
        meter = trainer.run(part.examples, part.features, val.examples, val.features, scratch, write_curve, f"{method} {task} seed {seed}")
        audited = audit.finished(decoder, trainer.parameters, trainer.optimizer.state, trainer.state.step, trainer.state.best_step)
    return Learnt(captioner, interface.fold(decoder, method, names), {
        "method": method, "attach": method, "task": task, "seed": seed, "step": trainer.state.best_step,
        "val_loss": round(trainer.state.best_loss, 6), "settings": settings.model_dump(), "params": params, "base": base,
        "precision": str(dtype).removeprefix("torch."), "trained_parameters": count, "trained_share": count / of_decoder,
        "connector_parameters": sum(p.numel() for p in captioner.connector.parameters()), "audit": audited,
    }, meter.summary(device) | {"environment": describe(torch.get_num_threads(), device_name(device))}, scratch)


def _schedule(settings: interface.Settings, train: Train, seed: int) -> Schedule:
    return Schedule(learning_rate=settings.learning_rate, connector_learning_rate=settings.connector_learning_rate, seed=seed,
                    **train.model_dump(exclude={"precision"}))


def _versions(task: str) -> list[Any]:
    """What a kept state depends on besides the parameters: a training must not go on with other data or code."""
    data = [*layout.learnt_from(), layout.checkpoint(layout.START, task, 0) / "model.safetensors"]
    code = sorted(Path(vltune.__file__).parent.rglob("*.py"))
    return [*(sha256(file) for file in [*data, *code]), torch.__version__]
