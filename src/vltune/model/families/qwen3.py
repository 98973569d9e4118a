"""Qwen3's dense decoders: as Llama, with normalised queries and keys, and a head width of its own.

Source: Yang et al. 2025, Qwen3 Technical Report, section 2; names and keys of transformers' Qwen3ForCausalLM.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from vltune.model.decoder import DecoderConfig
from vltune.model.families import llama
from vltune.model.names import Names

HEAD_DIM = 128  # where config.json does not say it
NAMES = Names(
    llama.NAMES.layers,
    {**llama.NAMES.parts, "self_attn.q_norm": "attention.q_norm", "self_attn.k_norm": "attention.k_norm"},
    llama.NAMES.top,
)
# Keys of config.json that would change the mathematics, with the values that this decoder computes. The width
# of a sliding window has no effect unless it is used.
COMPUTED = {key: values for key, values in llama.COMPUTED.items() if key != "sliding_window"} | {
    "use_sliding_window": (False,), "layer_types": ("full_attention",),
}


def config(c: dict[str, Any]) -> DecoderConfig:
    """Read the sizes from the content of a config.json; KeyError if a key is missing."""
    return replace(llama.config(c), head_dim=c.get("head_dim") or HEAD_DIM, qk_norm=True)


def from_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors from transformers' names to the decoder's;
    a name that is not known stays, to be reported."""
    return {NAMES.ours(name): tensor for name, tensor in tensors.items()}


def to_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a decoder's tensors to transformers' names; the inverse of `from_hugging_face`."""
    return {NAMES.theirs(name): tensor for name, tensor in tensors.items()}
