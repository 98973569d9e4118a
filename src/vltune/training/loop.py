"""The training loop, one for all methods and tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from vltune.data import examples as order
from vltune.data.examples import Example
from vltune.data.features import Features
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import workers
from vltune.pipeline.errors import Diverged, InputError
from vltune.pipeline.params import TASKS
from vltune.pipeline.randomness import derive
from vltune.training import audit
from vltune.training import optimizer as adamw
from vltune.training.early_stopping import say_stopped, stalled
from vltune.training.forecast import STEPS, announce
from vltune.training.loss import over_tasks, summed
from vltune.training.prefetch import Part, Step, ahead, prepare
from vltune.training.resources import Meter, peak_memory_bytes
from vltune.training.resume import ResumeState

VALIDATED = 32  # images of a validation that are computed together


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; texts_per_image of an image and task share its tokens in a row."""
    steps: int
    batch_size: int
    texts_per_image: int
    learning_rate: float
    projector_learning_rate: float
    weight_decay: float
    warmup_share: float
    clip_norm: float
    evaluations: int
    patience: int
    checkpoint_seconds: float
    accumulate: int
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
            InputError: a step has fewer images than parts.
        """
        if schedule.batch_size < workers.count() * schedule.accumulate:
            raise InputError(
                f"params.yaml: train.batch_size = {schedule.batch_size}: a step is computed by "
                f"{workers.count()} processes in train.accumulate = {schedule.accumulate} parts each; give "
                "it at least an image for each part"
            )
        live = {id(parameter) for parameter in vlm.decoder.parameters() if parameter.requires_grad}
        copies = [name for name, parameter in method.items() if id(parameter) not in live]
        if copies:
            raise TypeError(f"{copies[0]} is not a parameter of the decoder that requires a gradient")
        self.vlm, self.schedule, self.device = vlm.to(device), schedule, device
        self.model: nn.Module = self.vlm  # the one that is called in a step
        if workers.count() > 1:  # adds up the gradients of all processes
            self.model = DistributedDataParallel(self.vlm, gradient_as_bucket_view=True)
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
        """Train to the last step, or to where patience ends it; leave the best tensors in the model. If there
        is a kept state, go on from it.

        Raises:
            Diverged: the loss is no longer a number.
        """
        s = self.schedule
        self._resume(resume_state)
        meter = Meter(self.state.seconds, self.state.texts)
        measured = {round(s.steps * (i + 1) / s.evaluations) for i in range(s.evaluations)}
        kept_at = meter.seconds
        batches = order.rows(examples, s.steps, s.batch_size, s.texts_per_image, s.seed, self.state.step)
        prepared = partial(prepare, features=features, image_tokens=self.vlm.image_tokens,
                           accumulate=s.accumulate, pin=self.device.type == "cuda")
        # on a CPU, a second thread that uses torch slows the first by half
        steps = ahead(batches, prepared) if self.device.type == "cuda" else map(prepared, batches)
        bar = tqdm(steps, name, s.steps, initial=self.state.step, unit="step", disable=workers.rank() > 0)
        for step in bar:
            if stalled(self.state.curve, self.state.best_step, s.patience):
                break
            with meter.step(step.texts, self.device):
                loss = self._step(step)
            self._record(loss, meter, partial(self._select, val, val_features), measured)
            if len(meter.step_s) == STEPS and workers.rank() == 0:
                self._announce(name, meter, sum(n > self.state.step for n in measured), val, val_features)
            bar.set_postfix(loss=f"{loss:.3f}", captions_s=f"{meter.texts_per_second:.1f}", refresh=False)
            if meter.seconds - kept_at >= s.checkpoint_seconds:
                self._keep(resume_state)
                write_curve(self.state.curve)
                kept_at = meter.seconds
        bar.close()
        if self.state.step < s.steps and workers.rank() == 0:
            say_stopped(name, self.state.step, s.steps, s.patience, self.state.best_step)
        write_curve(self.state.curve)
        self._put(self.best)
        return meter

    def _record(self, loss: float, meter: Meter, validate: Callable[[], float], measured: set[int]) -> None:
        self.state.step += 1
        row: dict[str, Any] = {"step": self.state.step, "captions": meter.texts, "loss": round(loss, 6)}
        if self.state.step in measured:
            row["val_loss"] = round(validate(), 6)
        self.state.curve.append(row)
        self.state.seconds, self.state.texts = meter.seconds, meter.texts

    def _announce(self, name: str, meter: Meter, evaluations: int, val: list[Example], f: Features) -> None:
        best = 0 if self.best else sum(parameter.nbytes for parameter in self.parameters.values())  # a copy
        parts = max(1.0, len(val) / VALIDATED / workers.count())
        announce(name, meter.step_s, self.schedule.steps - self.state.step, evaluations, parts,
                 partial(self._validate, val[:VALIDATED], f), lambda: best + peak_memory_bytes(self.device))

    def _step(self, step: Step) -> float:
        process = f" in process {workers.rank()}" if workers.rank() else ""
        torch.manual_seed(derive(self.schedule.seed, f"dropout at step {self.state.step}{process}"))
        adamw.set_rate(self.optimizer, self.state.step, self.schedule.steps, self.schedule.warmup_share)
        self.vlm.train()
        losses = []
        for number, part in enumerate(step.parts, start=1):
            with self._summed(last=number == len(step.parts)):
                loss = over_tasks(summed(self.model, part, self.device), step.tokens)
                (loss * workers.count()).backward()  # as the gradients of the processes are averaged
            losses.append(loss.detach())
        loss = workers.total([torch.stack(losses).sum().item()])[0]
        if not math.isfinite(loss):
            raise Diverged(
                f"the loss is {loss} at step {self.state.step + 1}: the training diverges; lower "
                f"learning_rate ({self.schedule.learning_rate}) or projector_learning_rate "
                f"({self.schedule.projector_learning_rate}) of this method in params.yaml"
            )
        audit.check_gradients(self.parameters)
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.schedule.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss

    @contextmanager
    def _summed(self, last: bool) -> Iterator[None]:
        """Let the processes exchange their gradients in the last part of a step alone."""
        if last or workers.count() == 1:
            yield
        else:
            with self.model.no_sync():
                yield

    @torch.no_grad()
    def _validate(self, examples: list[Example], features: Features) -> list[float]:
        """Sum up the cross-entropies of one text of each image and task, by task, and count their tokens."""
        self.vlm.eval()
        picked = [Example(example.image_id, [group[0] for group in order.grouped(example.texts)])
                  for example in examples]
        part = Part.of(picked, features, self.vlm.image_tokens)
        return [*(loss.item() for loss in summed(self.vlm, part, self.device)), *part.tokens]

    def _select(self, val: list[Example], features: Features) -> float:
        """Measure the loss on val, in nats a token, and keep the tensors if it is the best."""
        own = workers.share(val, VALIDATED)
        sums = [self._validate(own[i:i + VALIDATED], features) for i in range(0, len(own), VALIDATED)]
        none = [0.0] * 2 * len(TASKS)  # what a process without images adds
        totals = workers.total([sum(column) for column in zip(none, *sums, strict=True)])
        loss = over_tasks(totals[:len(TASKS)], [round(count) for count in totals[len(TASKS):]])
        if loss < self.state.best_loss or not self.best:
            self.state.best_loss, self.state.best_step = loss, self.state.step
            self.best = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        return loss

    def _keep(self, resume_state: ResumeState) -> None:
        if workers.rank():
            return
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
        if workers.rank() == 0:
            tqdm.write(f"resuming from step {self.state.step}")

    def _put(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in tensors.items():
                self.parameters[name].copy_(value)
