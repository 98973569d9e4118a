"""adapter_config.json of Hugging Face's PEFT, and PEFT's names and shapes of a method's parameters.

A method's file says what its form in PEFT is (`methods.interface.PeftForm`); here it is translated.

Source: peft 0.21, PeftConfig and get_peft_model_state_dict.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from vltune.methods import interface
from vltune.methods.interface import Method
from vltune.model.families.llama import NAMES
from vltune.pipeline.errors import InputError

LINEARS = {
    theirs.rpartition(".")[2]: ours.rpartition(".")[2]
    for theirs, ours in NAMES.parts.items()
    if theirs.endswith("_proj")
}
# Keys that do not change what the tensors mean; any other key must be off.
HARMLESS = {
    "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "fan_in_fan_out", "inference_mode",
    "megatron_core", "num_attention_heads", "num_layers", "num_transformer_submodules", "peft_type",
    "peft_version", "prompt_tuning_init", "prompt_tuning_init_text", "qalora_group_size", "revision",
    "task_type", "token_dim", "tokenizer_name_or_path",
}
OFF = (None, False, "none", [], {})
# those that leave the base as it is
INITIAL = {"init_lora_weights": (True, False, "gaussian"), "init_ia3_weights": (True, False)}


def config_of(settings: Method, decoder: Path) -> dict[str, Any]:
    """Describe a method as PEFT does; `decoder` is the folder of its base."""
    form, theirs = settings.PEFT, {ours: name for name, ours in LINEARS.items()}
    listed = {
        key: getattr(settings, sites) if isinstance(sites, str) else sites
        for key, sites in form.linears.items()
    }
    return {
        "peft_type": form.type, "task_type": "CAUSAL_LM", "base_model_name_or_path": str(decoder),
        "inference_mode": True, **form.fixed,
        **{key: getattr(settings, own) for key, own in form.fields.items()},
        **{key: [theirs[site] for site in sites] for key, sites in listed.items()},
    }


def class_of(content: dict[str, Any], path: Path) -> type[Method]:
    """Find the method whose form in PEFT a description has; InputError says which forms there are."""
    able = [interface.method(name) for name in interface.names() if interface.method(name).PEFT]
    same = [cls for cls in able if cls.PEFT.type == content.get("peft_type")]
    if not same:
        types = " or ".join(f"'{peft_type}'" for peft_type in dict.fromkeys(cls.PEFT.type for cls in able))
        raise InputError(f"{path}: peft_type is {content.get('peft_type')!r}, expected {types}")
    wrong = [_misfits(cls, content) for cls in same]
    for cls, keys in zip(same, wrong, strict=True):
        if not keys:
            return cls
    key, value = min(wrong, key=len).popitem()
    raise InputError(f"{path}: {key} = {value!r} is not supported")


def _misfits(cls: type[Method], content: dict[str, Any]) -> dict[str, Any]:
    """Give the fixed keys of a method's form that a description has otherwise; a missing key is off."""
    wrong = {}
    for key, value in cls.PEFT.fixed.items():
        actual = content.get(key)
        if actual != value and not (value in OFF and actual in OFF):
            wrong[key] = actual
    return wrong


def check_keys(cls: type[Method], content: dict[str, Any], path: Path) -> None:
    """Check that every key of the method's form is there, and that no other one changes the mathematics."""
    form = cls.PEFT
    missing = [key for key in (*form.fields, *form.linears) if key not in content]
    if missing:
        raise InputError(f"{path}: key '{missing[0]}' is missing")
    known = {*HARMLESS, *INITIAL, *form.fields, *form.fixed, *form.linears}
    used = [key for key, value in content.items() if key not in known and value not in OFF]
    if used:
        raise InputError(
            f"{path}: {used[0]} = {content[used[0]]!r} is not supported; only the plain form of "
            f"{cls.title()} is imported"
        )
    for key, harmless in INITIAL.items():
        if content.get(key, True) not in harmless:
            raise InputError(f"{path}: {key} = {content[key]!r} changes the base, which cannot be imported")
    for key, own in form.fields.items():
        number = content[key]
        if cls.model_fields[own].annotation is float and (
            isinstance(number, bool) or not isinstance(number, int | float)
        ):
            raise InputError(f"{path}: {key} is {number!r}, expected a number")


def linears_in(content: dict[str, Any], key: str, path: Path) -> list[str]:
    """Read a list of linears by PEFT's names, as sites of the decoder in their order."""
    targets = content[key]
    if not isinstance(targets, list) or not targets:
        raise InputError(f"{path}: {key} is {targets!r}, expected a list of names such as q_proj")
    odd = sorted(str(name) for name in targets if str(name).rpartition(".")[2] not in LINEARS)
    if odd:
        raise InputError(f"{path}: {key} holds {odd[0]!r}; this decoder has {', '.join(LINEARS)}")
    sites = {LINEARS[name.rpartition(".")[2]] for name in targets}
    return [site for site in LINEARS.values() if site in sites]


def peft_name(settings: Method, name: str) -> str:
    """Give PEFT's name of a trained parameter: blocks.3.attention.q.a is
    ...layers.3.self_attn.q_proj.lora_A.weight."""
    parts = {ours: theirs for theirs, ours in NAMES.parts.items()}
    site, _, last = name.rpartition(".")
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)", site)
    theirs = settings.PEFT.tensors[last]
    return f"base_model.model.model.layers.{match[1]}.{parts[match[2]]}.{theirs}" if match else theirs


def peft_shape(settings: Method, name: str, tensor: Tensor) -> tuple[int, ...]:
    """Give the shape that PEFT has of a trained parameter."""
    return settings.PEFT.shapes.get(name.split(".")[-2], tuple(tensor.shape))

