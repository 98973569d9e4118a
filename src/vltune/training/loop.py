"""The training loop, one for all methods and tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from vltune.data import examples as order
from vltune.data.batch import Batch, collate
from vltune.data.examples import Example
from vltune.data.features import Features
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.errors import Diverged
from vltune.pipeline.randomness import derive
from vltune.training import audit
from vltune.training import optimizer as adamw
from vltune.training.resources import Meter
from vltune.training.resume import ResumeState


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; texts_per_image of an image share its tokens in one row of a batch."""

    steps: int
    batch_size: int
    texts_per_image: int
    learning_rate: float
    projector_learning_rate: float
    weight_decay: float
    warmup_share: float
    clip_norm: float
    evaluations: int
    checkpoint_seconds: float
    seed: int


@dataclass
class State:
    """Where a training is: everything that a later process needs to go on as if nothing had happened."""

    step: int = 0
    best_step: int = 0
    best_loss: float = float("inf")
    curve: list[dict[str, float | int]] = field(default_factory=list)
    seconds: float = 0.0
    texts: int = 0


class Trainer:
    """Trains a model on examples, and keeps the tensors of the step that was best on val."""

    def __init__(
        self, vlm: VisionLanguageModel, method: dict[str, nn.Parameter], schedule: Schedule,
        device: torch.device,
    ) -> None:
        """Prepare; `method` holds the trained parameters of the decoder by name.

        Raises:
            TypeError: one of them is not a parameter of the decoder
                itself (a copy would be trained for nothing).
        """
        live = {id(parameter) for parameter in vlm.decoder.parameters() if parameter.requires_grad}
        copies = [name for name, parameter in method.items() if id(parameter) not in live]
        if copies:
            raise TypeError(f"{copies[0]} is not a parameter of the decoder that requires a gradient")
        self.vlm, self.schedule, self.device = vlm.to(device), schedule, device
        self.parameters = {f"decoder.{name}": parameter for name, parameter in method.items()}
        self.parameters |= {
            f"projector.{name}": parameter for name, parameter in vlm.projector.named_parameters()
        }
        self.optimizer = adamw.build(method, vlm.projector, schedule.learning_rate,
                                     schedule.projector_learning_rate, schedule.weight_decay)
        self.best: dict[str, Tensor] = {}
        self.state = State()

    def run(
        self, examples: list[Example], features: Features, val: list[Example], val_features: Features,
        resume_state: ResumeState, write_curve: Callable[[list[dict[str, Any]]], None], name: str,
    ) -> Meter:
        """Train to the end, from the last kept state if there is one; leave the best tensors in the model.

        Raises:
            Diverged: the loss is no longer a number.
        """
        s = self.schedule
        self._resume(resume_state)
        meter = Meter(self.state.seconds, self.state.texts)
        measured = {round(s.steps * (i + 1) / s.evaluations) for i in range(s.evaluations)}
        kept_at = meter.seconds
        batches = order.rows(examples, s.steps, s.batch_size, s.texts_per_image, s.seed, self.state.step)
        bar = tqdm(batches, name, s.steps, initial=self.state.step, mininterval=2, unit="step")
        for picked in bar:
            batch = collate([example.texts for example in picked], self.vlm.image_tokens)
            with meter.step(sum(len(example.texts) for example in picked), self.device):
                loss = self._step(picked, batch, features)
            self.state.step += 1
            row: dict[str, Any] = {"step": self.state.step, "captions": meter.texts, "loss": round(loss, 6)}
            if self.state.step in measured:
                row["val_loss"] = round(self._select(val, val_features), 6)
            self.state.curve.append(row)
            self.state.seconds, self.state.texts = meter.seconds, meter.texts
            bar.set_postfix(loss=f"{loss:.3f}", captions_s=f"{meter.texts_per_second:.1f}", refresh=False)
            if meter.seconds - kept_at >= s.checkpoint_seconds:
                self._keep(resume_state)
                write_curve(self.state.curve)
                kept_at = meter.seconds
        write_curve(self.state.curve)
        self._put(self.best)
        return meter

    def _step(self, picked: list[Example], batch: Batch, features: Features) -> float:
        torch.manual_seed(derive(self.schedule.seed, f"dropout at step {self.state.step}"))
        adamw.set_rate(self.optimizer, self.state.step, self.schedule.steps, self.schedule.warmup_share)
        self.vlm.train()
        loss = self._loss(picked, batch, features) / len(batch.labels)
        if not torch.isfinite(loss):
            raise Diverged(
                f"the loss is {loss.item()} at step {self.state.step + 1}: the training diverges; lower "
                f"learning_rate ({self.schedule.learning_rate}) or projector_learning_rate "
                f"({self.schedule.projector_learning_rate}) of this method in params.yaml"
            )
        loss.backward()
        audit.check_gradients(self.parameters)
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.schedule.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()

    def _loss(self, picked: list[Example], batch: Batch, features: Features) -> Tensor:
        """Sum of the cross-entropies of all target tokens, in nats."""
        b = batch.to(self.device)
        images = torch.from_numpy(features.take([example.image_id for example in picked])).to(self.device)
        logits = self.vlm(images, b.tokens, b.positions, b.mask, b.sources)
        return F.cross_entropy(logits.float(), b.labels, reduction="sum")

    @torch.no_grad()
    def _select(self, val: list[Example], features: Features) -> float:
        """Measure the loss on val (one text an image), in nats
        a token, and keep the tensors if it is the best."""
        self.vlm.eval()
        total, tokens = 0.0, 0
        for start in range(0, len(val), 32):
            picked = [Example(example.image_id, example.texts[:1]) for example in val[start:start + 32]]
            batch = collate([example.texts for example in picked], self.vlm.image_tokens)
            total += self._loss(picked, batch, features).item()
            tokens += len(batch.labels)
        loss = total / tokens
        if loss < self.state.best_loss or not self.best:
            self.state.best_loss, self.state.best_step = loss, self.state.step
            self.best = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        return loss

    def _keep(self, resume_state: ResumeState) -> None:
        tensors = {f"now/{name}": parameter.detach() for name, parameter in self.parameters.items()}
        tensors |= {f"best/{name}": parameter for name, parameter in self.best.items()}
        for name, parameter in self.parameters.items():
            tensors |= {
                f"{part}/{name}": value for part, value in self.optimizer.state.get(parameter, {}).items()
            }
        resume_state.save(tensors, vars(self.state))

    def _resume(self, resume_state: ResumeState) -> None:
        kept = resume_state.load()
        if kept is None:
            return
        tensors, facts = kept
        self.state = State(**facts)
        parts: dict[str, dict[str, Tensor]] = {}
        for full, value in tensors.items():
            part, _, name = full.partition("/")
            parts.setdefault(part, {})[name] = value.to(self.device if part != "step" else "cpu")
        self._put(parts.pop("now"))
        self.best = parts.pop("best", {})
        for part, values in parts.items():
            for name, value in values.items():
                self.optimizer.state[self.parameters[name]][part] = value
        tqdm.write(f"going on from step {self.state.step}")

    def _put(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in tensors.items():
                self.parameters[name].copy_(value)
