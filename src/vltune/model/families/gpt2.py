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
from vltune.model.names import Names

# c_attn, which holds q, k and v, is in no table of names.
NAMES = Names(
    "transformer.h",
    {
        "attn.c_proj": "attention.o", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down",
        "ln_1": "attention_norm", "ln_2": "mlp_norm",
    },
    {
        "transformer.wte.weight": "embedding.weight", "transformer.wpe.weight": "position.weight",
        "transformer.ln_f.weight": "norm.weight", "transformer.ln_f.bias": "norm.bias",
        "lm_head.weight": "output.weight",
    },
)
FUSED, SITES = "attn.c_attn", ("attention.q", "attention.k", "attention.v")
# Keys of config.json that would change the mathematics, with the values that this decoder computes.
COMPUTED = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"), "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,), "add_cross_attention": (False,),
    "quantization_config": (None,),
}


def config(c: dict[str, Any]) -> DecoderConfig:
    """Read the sizes from the content of a config.json; KeyError if a key is missing."""
    return DecoderConfig(
        vocabulary=c["vocab_size"], width=c["n_embd"], layers=c["n_layer"], heads=c["n_head"],
        kv_heads=c["n_head"], head_dim=c["n_embd"] // c["n_head"],
        mlp_width=c.get("n_inner") or 4 * c["n_embd"], norm_epsilon=c["layer_norm_epsilon"],
        positions=c["n_positions"], rope_base=None, gated=False, rms=False, bias=True,
        tied=c.get("tie_word_embeddings", True),
    )


def from_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors from transformers' names to the decoder's;
    a name that is not known stays, to be reported."""
    renamed = {}
    for bare, tensor in tensors.items():
        name = bare if bare.startswith(("transformer.", "lm_head.")) else f"transformer.{bare}"
        if re.fullmatch(r"transformer\.h\.\d+\.attn\.(bias|masked_bias)", name):
            continue  # the causal mask's buffers
        match = re.fullmatch(r"transformer\.h\.(\d+)\.(.+)\.(weight|bias)", name)
        value = _turned(tensor) if match else tensor
        if match and match[2] == FUSED:
            for site, part in zip(SITES, value.chunk(3), strict=True):
                renamed[f"blocks.{match[1]}.{site}.{match[3]}"] = part.contiguous()
        else:
            renamed[NAMES.ours(name)] = value
    return renamed


def to_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a decoder's tensors to transformers' names; the inverse of `from_hugging_face`."""
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            renamed[NAMES.theirs(name)] = tensor
        elif match[2] not in SITES:
            renamed[NAMES.theirs(name)] = _turned(tensor)
        elif match[2] == SITES[0]:
            fused = torch.cat([tensors[f"blocks.{match[1]}.{site}.{match[3]}"] for site in SITES])
            renamed[f"{NAMES.layers}.{match[1]}.{FUSED}.{match[3]}"] = _turned(fused)
    return renamed


def _turned(tensor: Tensor) -> Tensor:
    """Turn the weight of a layer's linear, [in, out] in transformers' Conv1D, and here [out, in]."""
    return (tensor.t() if tensor.ndim == 2 else tensor).contiguous()
