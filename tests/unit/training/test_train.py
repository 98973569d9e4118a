"""The training loop: it moves what it should, goes on after a stop, and says when it diverges."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from trainable import TRAIN
from vltune.data.batch import Text
from vltune.data.examples import Example, rows
from vltune.data.features import Features, finish, writing
from vltune.methods import checkpoint, interface
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.params import check
from vltune.training import acceleration
from vltune.training.acceleration import accelerate
from vltune.training.forecast import forecast
from vltune.training.loop import Schedule, Trainer
from vltune.training.optimizer import factor
from vltune.training.resume import ResumeState

FAST = {"learning_rate": 0.01, "projector_learning_rate": 0.01}
LORA = FAST | {"rank": 2, "alpha": 4.0, "dropout": 0.1, "targets": ["q", "v"]}


def schedule(**change: float) -> Schedule:
    given = {
        "steps": 6, "batch_size": 3, "texts_per_image": 2, "weight_decay": 0.01, "warmup_share": 0.2,
        "clip_norm": 1.0, "evaluations": 2, "patience": 0, "checkpoint_seconds": 0.0, "accumulate": 1,
        "seed": 0,
    } | FAST
    return Schedule(**given | change)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Features, list[Example]]:
    """Random features of ten images with four tokens each, and two texts an image."""
    with writing(tmp_path / "features", "train", 10, 4, 32) as array:
        array[:] = np.random.default_rng(0).normal(size=array.shape)
    finish(tmp_path / "features", "train", list(range(10)), {})
    write_json(tmp_path / "features/signature.json", {"tokens": 4, "width": 32})
    examples = [Example(i, [Text((), [5 + i, 30, 2]), Text((), [60, 5 + i, 2])]) for i in range(10)]
    return Features(tmp_path / "features", "train"), examples


def build(base: Path, change: Schedule, dropout: float = 0.1) -> tuple[Trainer, list[str]]:
    vlm = checkpoint.build(base / "decoder", 4, 32, 5, 2, torch.float32)
    rng = torch.Generator().manual_seed(1)
    for parameter in vlm.projector.parameters():  # of zeros all words would be alike, but for rounding
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1, generator=rng)
    settings = check(interface.method("lora"), "lora", LORA | {"dropout": dropout})
    names = interface.attach(vlm.decoder, settings, torch.Generator().manual_seed(0))
    return Trainer(vlm, interface.trained_parameters(vlm.decoder, names), change, torch.device("cpu")), names


class Stop(Exception):
    """Raised in place of a kill."""


def train(
    trainer: Trainer, parts: tuple[Features, list[Example]], folder: Path, monkeypatch: pytest.MonkeyPatch,
    stop_at: int | None = None,
) -> list[dict]:
    monkeypatch.chdir(folder)
    curve: list[dict] = []

    def keep(rows_so_far: list[dict]) -> None:
        curve[:] = rows_so_far
        if stop_at is not None and len(curve) == stop_at:
            raise Stop

    features, examples = parts
    with contextlib.closing(ResumeState("run", ["inputs"])) as scratch:
        trainer.run(examples, features, examples[:3], features, scratch, keep, "test")
    return curve


def test_training_moves_every_trained_tensor_and_no_other(
    tiny: Path, parts, tmp_path: Path, monkeypatch
) -> None:
    trainer, names = build(tiny, schedule())
    before = {name: one.detach().clone() for name, one in trainer.vlm.named_parameters()}
    train(trainer, parts, tmp_path, monkeypatch)
    after = dict(trainer.vlm.named_parameters())
    moved = {name for name, one in after.items() if not torch.equal(one, before[name])}
    assert moved == {f"decoder.{name}" for name in names} | {
        name for name in after if name.startswith("projector.")
    }


def test_the_learning_rate_matters(tiny: Path, parts, tmp_path: Path, monkeypatch) -> None:
    """A trainer that optimised copies would give the same losses at any rate."""
    losses = []
    for rate in (0.001, 0.05):
        folder = tmp_path / str(rate)
        folder.mkdir()
        losses.append(
            [
                row["loss"]
                for row in train(build(tiny, schedule(learning_rate=rate))[0], parts, folder, monkeypatch)
            ]
        )
    assert losses[0][0] == losses[1][0]
    assert losses[0][2:] != losses[1][2:]


def copies(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in trainer.parameters.items()}


def test_it_stops_when_the_loss_on_val_no_longer_falls(
    tiny: Path, parts, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The losses on val are given: the third is the lowest, and two later ones are not lower."""
    curves: dict[str, list[dict]] = {}
    given = [5.0, 4.0, 3.0, 3.0, 3.5, 1.0]
    for folder, patience, stop_at, last in (("a", 2, None, 10), ("b", 2, 10, 10), ("c", 0, None, 12)):
        trainer, _ = build(tiny, schedule(steps=12, evaluations=6, patience=patience))
        tensors: dict[int, dict] = {}

        def validate(running: Trainer, *_: object, tensors: dict = tensors) -> list[float]:
            tensors[running.state.step] = copies(running)
            return [7 * given[running.state.step // 2 - 1], 0.0, 7, 0]

        (tmp_path / folder).mkdir()
        monkeypatch.setattr(Trainer, "_validate", validate)
        if stop_at:
            with pytest.raises(Stop):
                train(trainer, parts, tmp_path / folder, monkeypatch, stop_at)
            trainer, _ = build(tiny, schedule(steps=12, evaluations=6, patience=patience))
        curves[folder] = train(trainer, parts, tmp_path / folder, monkeypatch)
        assert [row["step"] for row in curves[folder]] == list(range(1, last + 1))
        assert trainer.state.best_step == (6 if patience else 12)
        message = "stopped at step 10 of 12, as 2 validations have not lowered the loss; step 6 is kept"
        assert (message in capsys.readouterr().err) == bool(patience)
        kept = tensors[trainer.state.best_step]
        assert all(torch.equal(kept[name], tensor) for name, tensor in copies(trainer).items())
    assert curves["a"] == curves["b"] == curves["c"][:10], "the schedule is that of the planned steps"


def test_a_long_training_says_what_it_takes() -> None:
    text = forecast([9.0, 2.0, 2.0, 2.1, 1.9], 395, 4.0, 10, 2_600_000_000)
    assert text == "about 14 minutes and 2.6 GB of memory: 395 more steps of 2 s, 10 validations of 4 s"
    assert forecast([9.0, 2.0], 7200, 0.0, 0, 10**9).startswith("about 4.0 hours and 1.0 GB")
    assert forecast([9.0, 0.1, 0.1], 100, 1.0, 2, 10**9) is None


def test_it_is_said_in_time_and_changes_no_bit(
    tiny: Path, parts, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    curves, tensors = [], []
    for folder, long in (("silent", 1e9), ("told", 0.0)):
        monkeypatch.setattr("vltune.training.forecast.LONG", long)
        (tmp_path / folder).mkdir()
        trainer, _ = build(tiny, schedule(steps=8))
        curves.append(train(trainer, parts, tmp_path / folder, monkeypatch))
        tensors.append(copies(trainer))
    said = [line for line in capsys.readouterr().err.splitlines() if "more steps" in line]
    assert len(said) == 1
    assert "test: about 1 minutes and " in said[0]
    assert "3 more steps of" in said[0]
    assert "1 validations of" in said[0]
    assert curves[0] == curves[1]
    assert all(torch.equal(tensors[0][name], tensor) for name, tensor in tensors[1].items())


def test_copies_are_refused(tiny: Path) -> None:
    vlm = checkpoint.build(tiny / "decoder", 4, 32, 5, 2, torch.float32)
    copy = torch.nn.Parameter(vlm.decoder.norm.weight.detach().clone())
    with pytest.raises(
        TypeError, match=r"norm\.weight is not a parameter of the decoder that requires a gradient"
    ):
        Trainer(vlm, {"norm.weight": copy}, schedule(), torch.device("cpu"))


@pytest.mark.parametrize("stop_at", [1, 3, 5])
def test_a_stopped_training_goes_on_and_ends_the_same(
    tiny: Path, parts, tmp_path: Path, monkeypatch, stop_at: int
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    trainer, names = build(tiny, schedule())
    curve = train(trainer, parts, whole, monkeypatch)
    with pytest.raises(Stop):
        train(build(tiny, schedule())[0], parts, cut, monkeypatch, stop_at)
    second, _ = build(tiny, schedule())
    assert train(second, parts, cut, monkeypatch) == curve
    for name, tensor in checkpoint.tensors_of(trainer.vlm, names).items():
        assert torch.equal(tensor, checkpoint.tensors_of(second.vlm, names)[name]), name


def test_a_diverging_training_says_what_to_change(tiny: Path, parts, tmp_path: Path, monkeypatch) -> None:
    trainer, _ = build(tiny, schedule(projector_learning_rate=1e30, steps=10))
    with pytest.raises(
        InputError, match=r"the loss is (nan|inf) at step \d+: the training diverges; lower learning_rate"
    ):
        train(trainer, parts, tmp_path, monkeypatch)


def test_two_trainings_of_one_run_do_not_mix(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = ResumeState("run", ["a"])
    with pytest.raises(InputError, match="another process is training this run"):
        ResumeState("run", ["a"])
    first.done()


def test_a_state_of_other_inputs_is_not_used(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = ResumeState("run", ["a"])
    kept.save({"x": torch.ones(2)}, {"step": 3})
    kept.close()
    with contextlib.closing(ResumeState("run", ["b"])) as other:
        assert other.load() is None
    assert not list(Path(".work/run").glob("*/state.safetensors"))


def test_a_cut_state_is_not_used(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = ResumeState("run", ["a"])
    kept.save({"x": torch.ones(200)}, {"step": 3})
    assert kept.load()[1] == {"step": 3}
    path = kept.folder / "state.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    assert kept.load() is None
    kept.close()


def test_batches_depend_on_seed_and_step_alone() -> None:
    examples = [Example(i, [Text((), [i, j]) for j in range(5)]) for i in range(7)]
    whole = list(rows(examples, 9, 4, 2, seed=3))
    assert list(rows(examples, 9, 4, 2, seed=3, start=5)) == whole[5:]
    assert list(rows(examples, 9, 4, 2, seed=4)) != whole
    first_epoch = [one.image_id for batch in whole for one in batch][:7]
    assert sorted(first_epoch) == list(range(7))


def test_parts_of_a_step_add_up_to_the_whole(tiny: Path, parts, tmp_path: Path, monkeypatch) -> None:
    """In float32 the losses differ by rounding alone: relative 1e-5 after six steps."""
    curves = []
    for accumulate in (1, 3):
        folder = tmp_path / str(accumulate)
        folder.mkdir()
        trainer, _ = build(tiny, schedule(accumulate=accumulate), dropout=0.0)
        curves.append([row["loss"] for row in train(trainer, parts, folder, monkeypatch)])
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    assert curves[0][-1] != pytest.approx(curves[0][0], rel=1e-2)  # they have changed meanwhile


def test_a_part_without_an_image_is_refused(tiny: Path) -> None:
    message = r"train\.batch_size = 3: a step is computed by 1 processes in train\.accumulate = 4 parts each"
    with pytest.raises(InputError, match=message):
        build(tiny, schedule(accumulate=4))


def test_activations_that_are_computed_again_give_the_same_gradients(
    tiny: Path, parts, tmp_path: Path, monkeypatch
) -> None:
    """Bit for bit, and with dropout, whose masks are drawn again."""
    curves, kept = [], [0, 0]
    for again in (False, True):
        folder = tmp_path / str(again)
        folder.mkdir()
        trainer, _ = build(tiny, schedule())
        accelerate(trainer.vlm.decoder, "auto", again, 6, torch.device("cpu"))

        def keep(tensor: torch.Tensor, again: bool = again) -> torch.Tensor:
            kept[again] += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            curves.append(train(trainer, parts, folder, monkeypatch))
    assert curves[0] == curves[1]
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize(("compiled", "steps", "device", "expected"), [
    ("auto", 5000, "cpu", False), ("auto", 140, "cuda", False), ("auto", 5000, "cuda", True),
    ("off", 5000, "cuda", False), ("on", 1, "cpu", True),
])
def test_auto_compiles_long_trainings_on_a_gpu(
    tiny: Path, monkeypatch, compiled: str, steps: int, device: str, expected: bool
) -> None:
    options: list[dict] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda _, **given: options.append(given))
    monkeypatch.setattr(acceleration.shutil, "which", lambda name: f"/usr/bin/{name}")
    decoder = checkpoint.build(tiny / "decoder", 4, 32, 5, 2, torch.float32).decoder
    accelerate(decoder, compiled, False, steps, torch.device(device))
    assert options == [{"dynamic": True}] * (len(decoder.blocks) if expected else 0)


def test_how_a_training_is_computed_is_no_condition_of_a_comparison() -> None:
    how = {"accumulate": 2, "compile": "on", "activation_checkpointing": True}
    assert TRAIN.model_copy(update=how).conditions() == TRAIN.conditions()
    assert TRAIN.model_copy(update={"steps": 5}).conditions() != TRAIN.conditions()


def test_the_schedule_warms_up_and_never_stops() -> None:
    factors = [factor(step, 100, 0.1) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == 1.0
    assert all(one > other for one, other in itertools.pairwise(factors[10:]))
    assert factors[-1] > 0
    assert [factor(0, 1, 0.0), factor(0, 1, 1.0)] == [1.0, 1.0]
