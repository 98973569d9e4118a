"""vltune export and vltune import: a run as a folder of Hugging Face's PEFT, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vltune.commands import output
from vltune.commands.adapter_config import (
    LINEARS,
    check_keys,
    class_of,
    config_of,
    linears_in,
    peft_name,
    peft_shape,
)
from vltune.commands.inference import described, find
from vltune.methods import checkpoint, interface
from vltune.methods.interface import Method
from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.loading import compare, read_config
from vltune.model.tensors import read_tensors, write_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint, read_json, replaced, write_json
from vltune.pipeline.params import check
from vltune.pipeline.paths import DECODER, START


def export(out: Path, method: str, task: str, seed: int, root: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors,
    and beside them projector.safetensors and checkpoint.json.

    Raises:
        InputError: PEFT has no form of this method or for this decoder, or the input is wrong.
    """
    output.check_folder(out)
    folder = find(root, method, task, seed)
    description = described(folder)
    settings = checkpoint.settings_in(description, folder)
    exportable(description["attach"], root, folder)
    tensors = read_tensors(folder / "model.safetensors")
    with replaced(out) as part:
        write_json(part / "adapter_config.json", config_of(settings, root / DECODER))
        write_tensors(
            part / "adapter_model.safetensors",
            {
                peft_name(settings, name): tensor.reshape(peft_shape(settings, name, tensor))
                for name, tensor in checkpoint.part_of(tensors, "decoder").items()
            },
        )
        write_tensors(part / "projector.safetensors", checkpoint.part_of(tensors, "projector"))
        write_json(part / "checkpoint.json", description)
    output.emit({"method": method, "task": task, "seed": seed, "folder": str(out)}, None)


def import_folder(folder: Path, out: Path, task: str, root: Path) -> None:
    """Write the checkpoint folder `out`; models/NAME/TASK-SEED
    is where other commands find it as method NAME.

    The projector comes from the folder's projector.safetensors, or from the aligned start if there is none.

    Raises:
        InputError: the folder holds no method that vltune has, or belongs to another base; says what differs.
    """
    output.check_folder(out)
    start = find(root, START, task, 0)
    base = described(start)["base"]
    settings = read_settings(folder, root)
    if (folder / "checkpoint.json").is_file():
        theirs = described(folder)["base"]
        if theirs != base:
            raise InputError(f"{folder}: made for another base: {checkpoint.difference(theirs, base)}")
    decoder, names = attached(root, settings)
    adapter = read_tensors(folder / "adapter_model.safetensors")
    parameters = interface.trained_parameters(decoder, names)
    compare({peft_name(settings, name): parameter.reshape(peft_shape(settings, name, parameter))
             for name, parameter in parameters.items()}, adapter, folder / "adapter_model.safetensors")
    tensors = {f"decoder.{name}": adapter[peft_name(settings, name)].float().reshape(parameter.shape)
               for name, parameter in parameters.items()}
    projector = projector_of(folder, start, base, decoder.config)
    trained = sum(parameter.numel() for parameter in parameters.values())
    with replaced(out) as part:
        checkpoint.write(
            part,
            tensors | {f"projector.{name}": tensor for name, tensor in projector.items()},
            {
                "method": out.absolute().parent.name, "attach": settings.title(), "task": task, "seed": 0,
                "step": 0, "settings": settings.model_dump(), "params": fingerprint(settings.model_dump()),
                "base": base, "trained_parameters": trained,
                "trained_share": trained / decoder.config.parameters,
                "projector_parameters": sum(tensor.numel() for tensor in projector.values()),
                **origin_of(folder, start),
            },
        )
    output.emit({"method": settings.title(), "task": task, "folder": str(out), **settings.model_dump()}, None)


def exportable(method: str, root: Path, source: Path) -> None:
    """Raise InputError if PEFT has no form of a method, or for the repository's decoder."""
    if interface.method(method).PEFT is None:
        able = [name for name in interface.names() if interface.method(name).PEFT]
        raise InputError(
            f"{source}: {method} has no form in Hugging Face's PEFT that computes the same; those that "
            f"have one: {', '.join(able)}"
        )
    if not read_config(root / DECODER / "config.json").rms:
        raise InputError(
            f"{root / DECODER}: GPT-2 keeps q, k and v in one linear, for which PEFT's form of {method} is "
            "another; only Llama- and Qwen3-style decoders are supported here"
        )


def read_settings(folder: Path, root: Path) -> Method:
    """Read which method a folder holds, with its settings; the
    learning rates are zero, since it was trained elsewhere.

    Raises:
        InputError: it is no method that vltune has, or not on
            linears of this decoder; names the key and its value.
    """
    path = folder / "adapter_config.json"
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object, found {type(content).__name__}")
    cls = class_of(content, path)
    exportable(cls.title(), root, folder)
    check_keys(cls, content, path)
    settings: dict[str, Any] = {
        own: float(content[key]) if cls.model_fields[own].annotation is float else content[key]
        for key, own in cls.PEFT.fields.items()
    }
    for key, sites in cls.PEFT.linears.items():
        listed = linears_in(content, key, path)
        if isinstance(sites, str):
            settings[sites] = listed
        elif listed != [site for site in LINEARS.values() if site in sites]:
            raise InputError(
                f"{path}: {key} is {content[key]!r}; {cls.title()} is trained on {', '.join(sites)} here"
            )
    rates = {"learning_rate": 0.0, "projector_learning_rate": 0.0}
    return check(cls, cls.title(), {"dropout": 0.0} | settings | rates, path)


def attached(root: Path, settings: Method) -> tuple[Decoder, list[str]]:
    """Build an empty decoder of the right sizes with the method attached: what the tensors must fit."""
    with torch.device("meta"):
        decoder = Decoder(read_config(root / DECODER / "config.json"))
    return decoder, interface.attach(decoder, settings, torch.Generator())


def origin_of(folder: Path, start: Path) -> dict[str, Any]:
    """Give what is written of the projector that `projector_of` reads, and of its chat form; None for what is
    not."""
    path = (folder if (folder / "projector.safetensors").is_file() else start) / "checkpoint.json"
    content = read_json(path) if path.is_file() else {}
    return {key: content.get(key) for key in ("projector", "template")}


def projector_of(
    folder: Path, start: Path, base: dict[str, Any], config: DecoderConfig
) -> dict[str, Tensor]:
    """Read the projector of a folder, or that of the start if the folder has none."""
    path = folder / "projector.safetensors"
    if path.is_file():
        tensors = read_tensors(path)
    else:
        sys.stderr.write(f"{folder} has no projector.safetensors: the projector of {start} is taken\n")
        path = start / "model.safetensors"
        tensors = checkpoint.part_of(read_tensors(path), "projector")
    compare(checkpoint.projector_for(base, tensors, config).state_dict(), tensors, path)
    return tensors

