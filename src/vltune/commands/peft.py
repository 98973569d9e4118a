"""vltune export and vltune import: a run as a folder of Hugging Face's PEFT, and back."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vltune.commands import output
from vltune.commands.inference import described, find
from vltune.methods import checkpoint, interface
from vltune.model.decoder import Decoder
from vltune.model.loading import LLAMA, compare, read_config
from vltune.model.tensors import read_tensors, write_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint, read_json, replaced, write_json
from vltune.pipeline.params import check
from vltune.pipeline.paths import DECODER, START


def export(out: Path, method: str, task: str, seed: int, root: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors, and beside them projector.safetensors and checkpoint.json.

    Raises:
        InputError: PEFT has no form of this method or for this decoder, or the input is wrong.
    """
    output.check_folder(out)
    folder = find(root, method, task, seed)
    description = described(folder)
    exportable(description["attach"], root, folder)
    tensors = read_tensors(folder / "model.safetensors")
    parts = {part: {name.removeprefix(f"{part}."): one for name, one in tensors.items() if name.startswith(f"{part}.")}
             for part in ("decoder", "projector")}
    with replaced(out) as part:
        write_json(part / "adapter_config.json", config_of(description["settings"], root / DECODER))
        write_tensors(part / "adapter_model.safetensors", {peft_name(name): one for name, one in parts["decoder"].items()})
        write_tensors(part / "projector.safetensors", parts["projector"])
        write_json(part / "checkpoint.json", description)
    output.emit({"method": method, "task": task, "seed": seed, "folder": str(out)}, None)


def exportable(method: str, root: Path, source: Path) -> None:
    """Raise InputError if PEFT has no form of a method, or for the repository's decoder."""
    if not hasattr(interface.module(method), "PEFT_TYPE"):
        able = [name for name in interface.names() if hasattr(interface.module(name), "PEFT_TYPE")]
        raise InputError(f"{source}: {method} has no form in Hugging Face's PEFT that computes the same; {', '.join(able)} has one")
    if not read_config(root / DECODER / "config.json").rms:
        raise InputError(f"{root / DECODER}: GPT-2 keeps q, k and v in one linear, for which PEFT's form of {method} is another; "
                         "only Llama-style decoders are supported here")


def import_folder(folder: Path, out: Path, task: str, root: Path) -> None:
    """Write the checkpoint folder `out`; models/NAME/TASK-SEED is where other commands find it as method NAME.

    The projector comes from the folder's projector.safetensors, or from the aligned start if there is none.

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
    tensors |= projector(folder, start, base, decoder.config.width)
    trained = sum(one.numel() for one in parameters.values())
    of_decoder = sum(p.numel() for name, p in decoder.named_parameters() if name not in parameters)
    with replaced(out) as part:
        checkpoint.write(part, tensors, {
            "method": out.absolute().parent.name, "attach": method, "task": task, "seed": 0, "step": 0, "settings": settings.model_dump(),
            "params": fingerprint(settings.model_dump()), "base": base, "trained_parameters": trained,
            "trained_share": trained / of_decoder,
            "projector_parameters": sum(one.numel() for name, one in tensors.items() if name.startswith("projector.")),
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
    rates = {"learning_rate": 0.0, "projector_learning_rate": 0.0}  # it was trained elsewhere
    return method, check(interface.module(method).Config, method, given | rates, path)


def attached(root: Path, method: str, settings: interface.Settings) -> tuple[Decoder, list[str]]:
    """Build the decoder's shape alone, with the method in it: what the tensors must fit."""
    with torch.device("meta"):
        decoder = Decoder(read_config(root / DECODER / "config.json"))
    return decoder, interface.attach(decoder, method, settings, torch.Generator())


def projector(folder: Path, start: Path, base: dict[str, Any], width: int) -> dict[str, Tensor]:
    """Read the projector of a folder, or that of the start if the folder has none."""
    path = folder / "projector.safetensors"
    if not path.is_file():
        sys.stderr.write(f"{folder} has no projector.safetensors: the projector of {start} is taken\n")
        path = start / "model.safetensors"
    found = {name.removeprefix("projector."): one for name, one in read_tensors(path).items()}
    compare(checkpoint.projector_for(base, found, width).state_dict(), found, path)
    return {f"projector.{name}": one for name, one in found.items()}


TYPE = "LORA"
LINEARS = {theirs.rpartition(".")[2]: ours.rpartition(".")[2] for theirs, ours in LLAMA.items() if theirs.endswith("_proj")}
# Keys that change nothing of what the tensors mean; any other key must be off.
NO_MATTER = {"auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "inference_mode", "megatron_core", "peft_type",
             "peft_version", "qalora_group_size", "revision", "task_type"}
OFF = (None, False, "none", [], {})
USUAL_STARTS = (True, False, "gaussian")  # of init_lora_weights: those that leave the base as it is


def config_of(settings: dict[str, Any], decoder: Path) -> dict[str, Any]:
    """Describe LoRA of the given settings as PEFT does; `decoder` is where its base lies."""
    theirs = {ours: name for name, ours in LINEARS.items()}
    return {
        "peft_type": TYPE, "task_type": "CAUSAL_LM", "base_model_name_or_path": str(decoder), "inference_mode": True,
        "r": settings["rank"], "lora_alpha": settings["alpha"], "lora_dropout": settings["dropout"], "bias": "none",
        "target_modules": [theirs[site] for site in settings["targets"]],
    }


def settings_of(config_json: dict[str, Any], source: Path) -> dict[str, Any]:
    """Read rank, alpha, dropout and targets from PEFT's description.

    Raises:
        InputError: it is no plain LoRA on linears of this decoder; names the key and its value.
    """
    c = config_json
    if c.get("peft_type") != TYPE:
        raise InputError(f"{source}: peft_type is {c.get('peft_type')!r}, expected '{TYPE}'")
    for key in ("r", "lora_alpha", "target_modules"):
        if key not in c:
            raise InputError(f"{source}: key '{key}' is missing")
    known = {*NO_MATTER, "r", "lora_alpha", "lora_dropout", "target_modules", "init_lora_weights"}
    used = [key for key, value in c.items() if key not in known and value not in OFF]
    if used:
        raise InputError(f"{source}: {used[0]} = {c[used[0]]!r} is not supported; only plain LoRA can be imported")
    if c.get("init_lora_weights", True) not in USUAL_STARTS:
        raise InputError(f"{source}: init_lora_weights = {c['init_lora_weights']!r} changes the base, which cannot be imported")
    for key in ("lora_alpha", "lora_dropout"):
        if isinstance(c.get(key, 0.0), bool) or not isinstance(c.get(key, 0.0), int | float):
            raise InputError(f"{source}: {key} is {c[key]!r}, expected a number")
    targets = c["target_modules"]
    if not isinstance(targets, list) or not targets:
        raise InputError(f"{source}: target_modules is {targets!r}, expected a list of names such as q_proj")
    odd = sorted(str(name) for name in targets if str(name).rpartition(".")[2] not in LINEARS)
    if odd:
        raise InputError(f"{source}: target_modules holds {odd[0]!r}; this decoder has {', '.join(LINEARS)}")
    sites = {LINEARS[name.rpartition(".")[2]] for name in targets}
    return {"rank": c["r"], "alpha": float(c["lora_alpha"]), "dropout": float(c.get("lora_dropout", 0.0)),
            "targets": [site for site in LINEARS.values() if site in sites]}


def peft_name(name: str) -> str:
    """Give PEFT's name of a tensor of LoRA, from its name in the decoder."""
    parts = {ours: theirs for theirs, ours in LLAMA.items()}
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(a|b)", name)
    return f"base_model.model.model.layers.{match[1]}.{parts[match[2]]}.lora_{match[3].upper()}.weight"
