"""A repository as a finished pipeline leaves it, on tiny random bases: what the commands are tried on."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from ruamel.yaml import YAML

from contracts.graph import ROOT
from vltune.methods import checkpoint, interface
from vltune.model.cross_attention import Fusion
from vltune.model.projector import Kind
from vltune.pipeline.files import write_json
from vltune.pipeline.params import check, read
from vltune.preprocessing import encoder
from vltune.preprocessing.settings import FeatureSettings

RATES = {"learning_rate": 0.01, "projector_learning_rate": 0.01}
SETTINGS = {name: interface.method(name).TINY for name in interface.names()}
SIZE, GRID = 32, 2


def make(root: Path, tiny: Path) -> Path:
    """Write params.yaml, data/base, and a checkpoint of every method and the start for both tasks, moved off
    their starts."""
    (root / "data").mkdir(parents=True)
    (root / "data/base").symlink_to(tiny)
    params = read(ROOT / "params.yaml")
    params["predict"] |= {
        "beams": 2, "max_new_tokens": 6, "max_answer_tokens": 4, "batch_size": 2, "precision": "float32",
    }
    params["preprocess"] |= {"batch_size": 2, "pixel_limit": 10_000}
    params["evaluate"] |= {"bootstrap_samples": 100}
    with (root / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    for number, name in enumerate(interface.names()):
        for task in ("caption", "vqa"):
            write_run(root, name, name, task, 10 * number + len(task))
    for task in ("caption", "vqa"):
        write_run(root, "aligned", "connector", task, len(task))
    return root


def features(size: int, grid: int, **change: object) -> FeatureSettings:
    """The settings of features, in float32."""
    return FeatureSettings(**{
        "image_size": size, "fit": "squash", "layer": -1, "grid": grid, "pooling": "mean+deviation",
        "extra_tokens": "none", "precision": "float32"} | change)


def write_run(
    root: Path, name: str, method: str, task: str, seed: int, projector: Kind = "words",
    fusion: Fusion = "tokens",
) -> Path:
    """Write a checkpoint whose tensors are random, so that every run says something else."""
    base = root / "data/base"
    _, signature = encoder.load(base / "encoder", features(SIZE, GRID))
    sizes = (GRID * GRID, signature["width"], 5, 2)
    vlm = checkpoint.build(base / "decoder", *sizes, torch.float32, projector=projector, fusion=fusion)
    settings = RATES | SETTINGS[method]
    checked = check(interface.method(method), method, settings)
    rng = torch.Generator().manual_seed(seed)
    names = interface.attach(vlm.decoder, checked, rng)
    tensors = checkpoint.tensors_of(vlm, names)
    moved = {key: one + 0.2 * torch.randn(one.shape, generator=rng) for key, one in tensors.items()}
    trained = sum(one.numel() for key, one in moved.items() if key.startswith("decoder."))
    folder = root / "models" / name / f"{task}-0"
    checkpoint.write(
        folder,
        moved,
        {
            "method": name, "attach": method, "task": task, "seed": 0, "settings": settings, "params": "0",
            "base": checkpoint.base_of(base / "decoder", signature), "trained_parameters": trained,
            "trained_share": 0.5, "projector_parameters": 1,
        },
    )
    return folder


def draw(folder: Path, *names: str) -> Path:
    """Write images of different colours and sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        colour = tuple(
            int(x) for x in torch.randint(256, (3,), generator=torch.Generator().manual_seed(len(name) + i))
        )
        image = Image.new("RGB", (30 + i, 40), colour)
        image.paste((0, 0, 0), (i, 2 * i, i + 9, 2 * i + 9))
        image.save(folder / name)
    return folder


def questions(file: Path, *rows: tuple, **more) -> Path:
    """Write a question file in VQAv2 format from (question_id, image_id, question)."""
    write_json(
        file,
        {"questions": [dict(zip(("question_id", "image_id", "question"), row, strict=True)) for row in rows]}
        | more,
    )
    return file
