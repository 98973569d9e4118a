"""A folder in Hugging Face's layout (config.json, weights in safetensors) -> a Decoder, and back.

A family of decoders is the file of its `model_type` in `families/`, with four names: `config(content)` reads
the sizes from a config.json, `COMPUTED` lists the keys that would change the mathematics (`outer.inner` for a
key within an object) with the values that are computed, the default first, and `from_hugging_face(tensors)`
and `to_hugging_face(tensors)` rename tensors by a table (`names.Names`).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import nearest

FAMILIES = Path(__file__).with_name("families")


def families() -> list[str]:
    """List the families of decoders: the files of the folder `families`."""
    return sorted(file.stem for file in FAMILIES.glob("*.py") if file.stem != "__init__")


def open_config(path: Path) -> tuple[ModuleType, DecoderConfig]:
    """Read a config.json of Hugging Face: its family, by `model_type`, and the sizes of the decoder.

    Raises:
        InputError: there is no such family, the model computes something else than the family does, or a key
            is missing; names the key.
    """
    content = read_json(path)
    name = content.get("model_type")
    if name not in families():
        raise InputError(
            f"{path}: model_type is {name!r}{nearest(name, families())}; this decoder knows "
            f"{' and '.join(families())}"
        )
    family = importlib.import_module(f"{__package__}.families.{name}")
    for key, values in family.COMPUTED.items():
        value = _value_at(content, key, values[0])
        if isinstance(value, list) and value == value[:1] * len(value):  # the same for every layer
            value = value[0] if value else values[0]
        if value not in values:
            raise InputError(
                f"{path}: {key} is {value!r}, which this decoder does not compute; expected "
                f"{' or '.join(map(repr, values))}"
            )
    try:
        return family, family.config(content)
    except KeyError as error:
        raise InputError(f"{path}: key {error} is missing") from None


def _value_at(content: dict[str, Any], key: str, default: Any) -> Any:
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return default if content is None else content


def family_of(path: Path) -> ModuleType:
    """Import the family of a config.json; raises InputError as `open_config` does."""
    return open_config(path)[0]


def read_config(path: Path) -> DecoderConfig:
    """Read the sizes of a decoder from a config.json; raises InputError as `open_config` does."""
    return open_config(path)[1]


def load_decoder(folder: Path) -> Decoder:
    """Build the decoder of a folder and fill it, in float32.

    Raises:
        InputError: a tensor is missing, left over or of another shape than config.json says; names the first.
    """
    family, config = open_config(folder / "config.json")
    weights = folder / "model.safetensors"
    tensors = family.from_hugging_face(read_tensors(weights))
    if config.tied:
        tensors.pop("output.weight", None)  # some files repeat the table
    with torch.device("meta"):
        decoder = Decoder(config)
    fill(decoder, tensors, weights)
    return decoder.float()


def share(decoder: Decoder) -> Decoder:
    """Build a second decoder on the tensors of a first: modules may
    be put in, and tensors replaced, without a trace in the first.

    Writing into a shared tensor in place changes both.
    """
    with torch.device("meta"):
        second = Decoder(decoder.config)
    second.load_state_dict(decoder.state_dict(), assign=True)
    return second


def fill(module: torch.nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Put exactly these tensors into a module; InputError
    names the first that is missing, left over or misshapen."""
    compare(module.state_dict(), tensors, source)
    module.load_state_dict(tensors, assign=True)


def compare(expected: dict[str, Tensor], tensors: dict[str, Tensor], source: Path) -> None:
    """Check that tensors have exactly the expected names
    and shapes; InputError names the first that does not."""
    for name, tensor in expected.items():
        if name not in tensors:
            raise InputError(f"{source}: tensor {name} is missing")
        if tensors[name].shape != tensor.shape:
            raise InputError(
                f"{source}: tensor {name} has shape {list(tensors[name].shape)}, expected "
                f"{list(tensor.shape)}"
            )
    extra = sorted(set(tensors) - set(expected))
    if extra:
        raise InputError(
            f"{source}: tensor {extra[0]} is left over; it belongs to another model, method or base"
        )
