"""Llama-style decoders (Llama, SmolLM2): RMSNorm, rotary positions, SwiGLU, no biases.

Source: Touvron et al. 2023, LLaMA, section 2.2; names and keys of transformers' LlamaForCausalLM.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from vltune.model.decoder import DecoderConfig
from vltune.model.names import Names

NAMES = Names(
    "model.layers",
    {
        "self_attn.q_proj": "attention.q", "self_attn.k_proj": "attention.k",
        "self_attn.v_proj": "attention.v", "self_attn.o_proj": "attention.o", "mlp.gate_proj": "mlp.gate",
        "mlp.up_proj": "mlp.up", "mlp.down_proj": "mlp.down", "input_layernorm": "attention_norm",
        "post_attention_layernorm": "mlp_norm",
    },
    {
        "model.embed_tokens.weight": "embedding.weight", "model.norm.weight": "norm.weight",
        "lm_head.weight": "output.weight",
    },
)
# Keys of config.json that would change the mathematics, with the values that this decoder computes.
COMPUTED = {
    "hidden_act": ("silu",), "attention_bias": (False,), "mlp_bias": (False,), "rope_scaling": (None,),
    "rope_parameters.rope_type": ("default",), "sliding_window": (None,), "partial_rotary_factor": (1.0,),
    "quantization_config": (None,),
}


def config(c: dict[str, Any]) -> DecoderConfig:
    """Read the sizes from the content of a config.json; KeyError if a key is missing."""
    return DecoderConfig(
        vocabulary=c["vocab_size"], width=c["hidden_size"], layers=c["num_hidden_layers"],
        heads=c["num_attention_heads"], kv_heads=c["num_key_value_heads"],
        head_dim=c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"],
        mlp_width=c["intermediate_size"], norm_epsilon=c["rms_norm_eps"],
        positions=c["max_position_embeddings"],
        rope_base=float(c.get("rope_theta") or c["rope_parameters"]["rope_theta"]), gated=True, rms=True,
        bias=False, tied=c.get("tie_word_embeddings", False),
    )


def from_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename tensors from transformers' names to the decoder's;
    a name that is not known stays, to be reported."""
    return {NAMES.ours(name): tensor for name, tensor in tensors.items()}


def to_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a decoder's tensors to transformers' names; the inverse of `from_hugging_face`."""
    return {NAMES.theirs(name): tensor for name, tensor in tensors.items()}
