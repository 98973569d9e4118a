"""LoRA in the form of Hugging Face's PEFT: its adapter_config.json, and its names for our tensors.

Both compute W x + (alpha / rank) B A x with A [rank, in] and B [out, rank], so only names differ:
blocks.3.attention.q.a is base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight.

Source: peft 0.21, LoraConfig, LoraLayer.update_layer and get_peft_model_state_dict.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vltune.errors import InputError
from vltune.model.loading import LLAMA

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
