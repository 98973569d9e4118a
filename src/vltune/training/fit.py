"""One run from base to checkpoint: build, attach, start from the aligned connector, train, write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import vltune
from vltune.data.examples import captioning
from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.data.words import weigh
from vltune.errors import InputError
from vltune.files import fingerprint, read_json, sha256, write_json, write_table
from vltune.methods import interface
from vltune.model.loading import read_tensors
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.randomness import derive
from vltune.records import read_captions
from vltune.sections import Align, Train
from vltune.training import align, checkpoint
from vltune.training.loop import Schedule, Trainer
from vltune.training.scratch import Scratch

RAW, FEATURES, DECODER = Path("data/raw"), Path("data/features"), Path("data/base/decoder")
START, START_METHOD = "zero_shot", "connector"  # the aligned, untrained checkpoint that all runs start from
COLUMNS = ["step", "captions", "loss", "val_loss"]


def run_folder(method: str, task: str, seed: int) -> Path:
    """Where the checkpoint of a run lies."""
    return Path("models") / method / f"{task}-{seed}"


def write_start(task: str, settings: Align) -> None:
    """Align the connector in closed form, and write it as a checkpoint that has trained nothing."""
    deterministic()
    features = Features(FEATURES, "train")
    tokenizer = Tokenizer(DECODER)
    captioner = checkpoint.build(DECODER, features.tokens, features.width, torch.float32)
    words = weigh(read_captions(RAW / "captions_train.json"))
    embeddings = align.word_embeddings(words, tokenizer, captioner.decoder)
    scale = captioner.decoder.embedding.weight.std().item()
    align.start(captioner.connector, features, words, embeddings, scale, settings.ridge, settings.rounds, settings.max_images)
    checkpoint.write(run_folder(START, task, 0), checkpoint.tensors_of(captioner, []), {
        "method": START, "attach": START_METHOD, "task": task, "seed": 0, "step": 0,
        "settings": {"learning_rate": 0.0, "connector_learning_rate": 0.0},
        "params": fingerprint(settings.model_dump()), "base": checkpoint.base_of(DECODER, features.signature),
        "trained_parameters": 0, "trained_share": 0.0,
        "connector_parameters": sum(p.numel() for p in captioner.connector.parameters()),
    })


def fit(method: str, settings: interface.Settings, task: str, seed: int, train: Train) -> None:
    """Train one method on one task with one seed; write models/, plots/curves/ and data/resources/.

    Raises:
        InputError: the data, the start or the parameters do not fit each other.
    """
    deterministic()
    device = choose_device()
    dtype = choose_dtype(train.precision, device)
    features, val_features = Features(FEATURES, "train"), Features(FEATURES, "val")
    base = checkpoint.base_of(DECODER, features.signature)
    captioner = checkpoint.build(DECODER, features.tokens, features.width, dtype)
    decoder_parameters = sum(p.numel() for p in captioner.decoder.parameters())
    generator = torch.Generator().manual_seed(derive(seed, f"initial weights of {method}"))
    names = interface.attach(captioner.decoder, method, settings, generator)
    _put_start(captioner, task, base)
    trained = interface.trained_parameters(captioner.decoder, names)
    schedule = Schedule(
        learning_rate=settings.learning_rate, connector_learning_rate=settings.connector_learning_rate, seed=seed,
        **train.model_dump(exclude={"precision"}))
    folder, curve = run_folder(method, task, seed), Path("plots/curves") / method / f"{task}-{seed}.tsv"
    tokenizer = Tokenizer(DECODER)
    examples, val = (captioning(read_captions(RAW / f"captions_{split}.json"), tokenizer, set(part.ids))
                     for split, part in (("train", features), ("val", val_features)))
    params = fingerprint([method, settings.model_dump(), train.model_dump()])
    inputs = [params, seed, str(dtype), base, sha256(RAW / "captions_train.json"), sha256(RAW / "captions_val.json"),
              sha256(run_folder(START, task, 0) / "model.safetensors"), _code(), torch.__version__]
    scratch = Scratch(f"{method}-{task}-{seed}", inputs)
    trainer = Trainer(captioner, trained, schedule, features, device)
    meter = trainer.run(examples, val, val_features, scratch,
                        lambda rows: write_table(curve, rows, COLUMNS, "\t"), f"{method} {task} seed {seed}")
    count = sum(one.numel() for one in trained.values())
    names = interface.fold(captioner.decoder, method, names)
    checkpoint.write(folder, checkpoint.tensors_of(captioner, names), {
        "method": method, "attach": method, "task": task, "seed": seed, "step": trainer.state.best_step,
        "val_loss": round(trainer.state.best_loss, 6), "settings": settings.model_dump(), "params": params, "base": base,
        "precision": str(dtype).removeprefix("torch."), "trained_parameters": count,
        "trained_share": count / decoder_parameters,
        "connector_parameters": sum(p.numel() for p in captioner.connector.parameters()),
    })
    write_json(Path("data/resources") / method / f"{task}-{seed}.json", meter.summary(device))
    scratch.done()


def _put_start(captioner: Any, task: str, base: dict[str, Any]) -> None:
    folder = run_folder(START, task, 0)
    found = read_json(folder / "checkpoint.json")["base"]
    if found != base:
        raise InputError(f"{folder}: aligned for another base: {checkpoint.difference(found, base)}; run align again")
    path = folder / "model.safetensors"
    checkpoint.put(captioner, [], read_tensors(path), path)


def _code() -> str:
    """Hash the package's source: a training must not go on with other code than it began with."""
    files = sorted(Path(vltune.__file__).parent.rglob("*.py"))
    return fingerprint([sha256(file) for file in files])
