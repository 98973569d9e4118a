"""vltune export: a run as a folder of Hugging Face's PEFT."""

from __future__ import annotations

from pathlib import Path

from vltune.commands import output
from vltune.commands.weights import write
from vltune.errors import InputError
from vltune.files import write_json
from vltune.folders import replaced
from vltune.layout import DECODER
from vltune.methods import interface
from vltune.model.huggingface_peft import config_of, peft_name
from vltune.model.loading import read_shape
from vltune.model.tensors import read_tensors
from vltune.training.using import described, find


def main(out: Path, method: str, task: str, seed: int, root: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors, and beside them connector.safetensors and checkpoint.json.

    Raises:
        InputError: PEFT has no form of this method or for this decoder, or the input is wrong.
    """
    output.check_folder(out)
    folder = find(root, method, task, seed)
    description = described(folder)
    exportable(description["attach"], root, folder)
    tensors = read_tensors(folder / "model.safetensors")
    parts = {part: {name.removeprefix(f"{part}."): one for name, one in tensors.items() if name.startswith(f"{part}.")}
             for part in ("decoder", "connector")}
    with replaced(out) as part:
        write_json(part / "adapter_config.json", config_of(description["settings"], root / DECODER))
        write(part / "adapter_model.safetensors", {peft_name(name): one for name, one in parts["decoder"].items()})
        write(part / "connector.safetensors", parts["connector"])
        write_json(part / "checkpoint.json", description)
    output.emit({"method": method, "task": task, "seed": seed, "folder": str(out)}, None)


def exportable(method: str, root: Path, source: Path) -> None:
    """Raise InputError if PEFT has no form of a method, or for the repository's decoder."""
    if not hasattr(interface.module(method), "PEFT_TYPE"):
        able = [name for name in interface.names() if hasattr(interface.module(name), "PEFT_TYPE")]
        raise InputError(f"{source}: {method} has no form in Hugging Face's PEFT that computes the same; {', '.join(able)} has one")
    if not read_shape(root / DECODER / "config.json").rms:
        raise InputError(f"{root / DECODER}: GPT-2 keeps q, k and v in one linear, for which PEFT's form of {method} is another; "
                         "only Llama-style decoders are supported here")
