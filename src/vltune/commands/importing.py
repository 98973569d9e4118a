"""vltune import: a folder of Hugging Face's PEFT as a checkpoint that the other commands use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vltune.commands import output
from vltune.commands.export import exportable
from vltune.errors import InputError
from vltune.files import fingerprint, read_json
from vltune.folders import replaced
from vltune.layout import DECODER, START
from vltune.methods import interface
from vltune.model.decoder import Decoder
from vltune.model.huggingface_peft import peft_name, settings_of
from vltune.model.loading import compare, read_shape
from vltune.model.tensors import read_tensors
from vltune.params import check
from vltune.training import checkpoint
from vltune.training.using import described, find


def main(folder: Path, out: Path, task: str, root: Path) -> None:
    """Write the checkpoint folder `out`; models/NAME/TASK-SEED is where other commands find it as method NAME.

    The connector comes from the folder's connector.safetensors, or from the aligned start if there is none.

    Raises:
        InputError: the folder is no plain LoRA for this decoder, or belongs to another base; says what differs.
    """
    output.check_folder(out)
    start = find(root, START, task, 0)
    base = described(start)["base"]
    method, settings = read_settings(folder, root)
    if (folder / "checkpoint.json").is_file():
        theirs = described(folder)["base"]
        if theirs != base:
            raise InputError(f"{folder}: made for another base: {checkpoint.difference(theirs, base)}")
    decoder, names = attached(root, method, settings)
    adapter = read_tensors(folder / "adapter_model.safetensors")
    parameters = interface.trained_parameters(decoder, names)
    compare({peft_name(name): one for name, one in parameters.items()}, adapter, folder / "adapter_model.safetensors")
    tensors = {f"decoder.{name}": adapter[peft_name(name)].float() for name in names}
    tensors |= connector(folder, start, base, decoder.shape.width)
    trained = sum(one.numel() for one in parameters.values())
    of_decoder = sum(p.numel() for name, p in decoder.named_parameters() if name not in parameters)
    with replaced(out) as part:
        checkpoint.write(part, tensors, {
            "method": out.absolute().parent.name, "attach": method, "task": task, "seed": 0, "step": 0, "settings": settings.model_dump(),
            "params": fingerprint(settings.model_dump()), "base": base, "trained_parameters": trained,
            "trained_share": trained / of_decoder,
            "connector_parameters": sum(one.numel() for name, one in tensors.items() if name.startswith("connector.")),
        })
    output.emit({"method": method, "task": task, "folder": str(out), **settings.model_dump()}, None)


def read_settings(folder: Path, root: Path) -> tuple[str, interface.Settings]:
    """Read which method a folder holds, and its settings."""
    path = folder / "adapter_config.json"
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object, found {type(content).__name__}")
    given = settings_of(content, path)
    method = next(name for name in interface.names() if getattr(interface.module(name), "PEFT_TYPE", None) == content["peft_type"])
    exportable(method, root, folder)
    rates = {"learning_rate": 0.0, "connector_learning_rate": 0.0}  # it was trained elsewhere
    return method, check(interface.module(method).Config, method, given | rates, path)


def attached(root: Path, method: str, settings: interface.Settings) -> tuple[Decoder, list[str]]:
    """Build the decoder's shape alone, with the method in it: what the tensors must fit."""
    with torch.device("meta"):
        decoder = Decoder(read_shape(root / DECODER / "config.json"))
    return decoder, interface.attach(decoder, method, settings, torch.Generator())


def connector(folder: Path, start: Path, base: dict[str, Any], width: int) -> dict[str, Tensor]:
    """Read the connector of a folder, or that of the start if the folder has none."""
    path = folder / "connector.safetensors"
    if not path.is_file():
        sys.stderr.write(f"{folder} has no connector.safetensors: the connector of {start} is taken\n")
        path = start / "model.safetensors"
    found = {name.removeprefix("connector."): one for name, one in read_tensors(path).items()}
    compare(checkpoint.connector_for(base, found, width).state_dict(), found, path)
    return {f"connector.{name}": one for name, one in found.items()}
