"""A joint training: its texts are those of the separate ones, and its loss is the mean of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import trainable
from vltune.data.examples import rows
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.paths import DECODER
from vltune.pipeline.tasks import JOINT, TRAININGS
from vltune.training.align import write_start
from vltune.training.loss import over_tasks, summed
from vltune.training.prefetch import prepare
from vltune.training.train import Split, train_stage


@pytest.fixture(autouse=True)
def project(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainable.make(tiny)
    write_start(JOINT, trainable.ALIGN, trainable.PROJECTOR)


def splits() -> dict[str, Split]:
    return {training: Split.read(training, "train", Tokenizer(DECODER)) for training in TRAININGS}


def test_a_step_has_the_texts_of_both_separate_steps() -> None:
    batches = {training: list(rows(split.examples, 5, 3, 1, seed=3)) for training, split in splits().items()}
    for captions, questions, both in zip(*batches.values(), strict=True):
        assert [example.image_id for example in both] == [example.image_id for example in captions]
        assert [example.texts for example in both] == [
            [*first.texts, *second.texts] for first, second in zip(captions, questions, strict=True)]


def test_the_loss_is_the_mean_of_the_separate_losses() -> None:
    """In float32 they differ by rounding alone; and all images share their tokens in one row."""
    start = paths.checkpoint(paths.START, JOINT, 0)
    vlm = checkpoint.begin(start, DECODER, read_json(start / "checkpoint.json")["base"], torch.float32).eval()
    losses, tokens, columns = {}, {}, {}
    for training, split in splits().items():
        [batch] = rows(split.examples, 1, 4, 2, seed=0)
        step = prepare(batch, split.features, vlm.image_tokens, 1, pin=False)
        loss = over_tasks(summed(vlm, step.parts[0], torch.device("cpu")), step.tokens)
        losses[training], tokens[training] = loss.item(), step.tokens
        columns[training] = step.parts[0].batch.mask.shape[-1]
    assert losses[JOINT] == pytest.approx((losses["caption"] + losses["vqa"]) / 2, rel=1e-5)
    assert losses["caption"] != pytest.approx(losses["vqa"], rel=1e-3)
    assert tokens[JOINT] == [tokens["caption"][0], tokens["vqa"][1]]
    assert tokens["caption"][1] == tokens["vqa"][0] == 0
    assert columns[JOINT] == columns["caption"] + columns["vqa"] - vlm.image_tokens


def test_the_start_is_that_of_captions() -> None:
    starts = [(paths.checkpoint(paths.START, training, 0) / "model.safetensors").read_bytes()
              for training in ("caption", JOINT)]
    assert starts[0] == starts[1]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_joint_training_leaves_one_checkpoint(accumulate: int) -> None:
    recipe = trainable.TRAIN.model_copy(update={"accumulate": accumulate})
    train_stage("lora", trainable.settings_of("lora"), JOINT, 0, recipe, None)
    description = read_json(paths.checkpoint("lora", JOINT, 0) / "checkpoint.json")
    assert (description["task"], description["last_step"]) == (JOINT, recipe.steps)
    lines = paths.curve("lora", JOINT, 0).read_text().splitlines()
    assert len(lines) == 1 + recipe.steps
    assert int(lines[-1].split("\t")[1]) == 4 * 3 * (2 + 1), "two captions and a question of each image"


def test_a_chat_form_is_refused() -> None:
    chat = trainable.PROJECTOR.model_copy(update={"prompt": "chat"})
    with pytest.raises(InputError, match=r"prompt is chat, but 'tasks' holds caption\+vqa: .*prompt none"):
        write_start(JOINT, trainable.ALIGN, chat)
