"""GPT-2-style decoders: LayerNorm, learned positions, GELU,
biases; q, k and v fused in one transposed linear.

Source: Radford et al. 2019, Language Models are Unsupervised Multitask Learners; names and keys of
transformers' GPT2LMHeadModel.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from vltune.model.decoder import DecoderConfig

# The one table of names, read in both directions: transformers' part of a layer, and the decoder's. c_attn
# holds q, k and v.
PARTS = {
    "attn.c_proj": "attention.o", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down", "ln_1": "attention_norm",
    "ln_2": "mlp_norm",
}
FUSED, SITES = "attn.c_attn", ("attention.q", "attention.k", "attention.v")
TOP = {
    "wte.weight": "embedding.weight", "wpe.weight": "position.weight", "ln_f.weight": "norm.weight",
    "ln_f.bias": "norm.bias",
}
# Keys of config.json that would change the mathematics, with the values that this decoder computes.
COMPUTED = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"), "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,), "add_cross_attention": (False,),
    "tie_word_embeddings": (True,), "quantization_config": (None,),
}


def config(c: dict[str, Any]) -> DecoderConfig:
    """Read the sizes from the content of a config.json; KeyError if a key is missing."""
    return DecoderConfig(
        vocabulary=c["vocab_size"], width=c["n_embd"], layers=c["n_layer"], heads=c["n_head"],
        kv_heads=c["n_head"], head_dim=c["n_embd"] // c["n_head"],
        mlp_width=c.get("n_inner") or 4 * c["n_embd"], norm_epsilon=c["layer_norm_epsilon"],
        positions=c["n_positions"], rope_base=None, gated=False, rms=False, bias=True,
    )


def from_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors from transformers' names to the decoder's;
    a name that is not known stays, to be reported."""
    renamed = {}
    for full_name, tensor in tensors.items():
        name = full_name.removeprefix("transformer.")
        if name == "lm_head.weight" or re.fullmatch(r"h\.\d+\.attn\.(bias|masked_bias)", name):
            continue  # tied, and the causal mask's buffers
        match = re.fullmatch(r"h\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            renamed[TOP.get(name, name)] = tensor
            continue
        value = tensor.t() if tensor.ndim == 2 else tensor  # Conv1D keeps [in, out]
        if match[2] == FUSED:
            for site, part in zip(SITES, value.chunk(3), strict=True):
                renamed[f"blocks.{match[1]}.{site}.{match[3]}"] = part.contiguous()
        else:
            renamed[f"blocks.{match[1]}.{PARTS.get(match[2], match[2])}.{match[3]}"] = value.contiguous()
    return renamed


def to_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a decoder's tensors to transformers' names; the inverse of `from_hugging_face`."""
    parts = {ours: theirs for theirs, ours in PARTS.items()}
    top = {ours: theirs for theirs, ours in TOP.items()}
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            renamed[f"transformer.{top[name]}"] = tensor
            continue
        layer, part, last = match.groups()
        if part == SITES[0]:
            fused = torch.cat([tensors[f"blocks.{layer}.{site}.{last}"] for site in SITES])
            renamed[f"transformer.h.{layer}.{FUSED}.{last}"] = (
                fused.t() if fused.ndim == 2 else fused
            ).contiguous()
        elif part not in SITES:
            value = tensor.t() if tensor.ndim == 2 else tensor  # Conv1D keeps [in, out]
            renamed[f"transformer.h.{layer}.{parts[part]}.{last}"] = value.contiguous()
    return renamed
