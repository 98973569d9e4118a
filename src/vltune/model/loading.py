"""A folder in Hugging Face's layout (config.json, model.safetensors) -> a Decoder, and back.

Names and shapes are translated in one place; GPT-2's fused, transposed Conv1D weights are split here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json

LLAMA = {
    "self_attn.q_proj": "attention.q", "self_attn.k_proj": "attention.k", "self_attn.v_proj": "attention.v",
    "self_attn.o_proj": "attention.o", "mlp.gate_proj": "mlp.gate", "mlp.up_proj": "mlp.up", "mlp.down_proj": "mlp.down",
    "input_layernorm": "attention_norm", "post_attention_layernorm": "mlp_norm",
}
LLAMA_TOP = {"model.embed_tokens.weight": "embedding.weight", "model.norm.weight": "norm.weight"}
GPT2 = {"attn.c_proj": "attention.o", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down", "ln_1": "attention_norm", "ln_2": "mlp_norm"}
GPT2_TOP = {"wte.weight": "embedding.weight", "wpe.weight": "position.weight", "ln_f.weight": "norm.weight", "ln_f.bias": "norm.bias"}


def read_config(path: Path) -> DecoderConfig:
    """Read a config.json of Hugging Face, of model type llama or gpt2.

    Raises:
        InputError: the model type is another one, the output layer is not tied, or a key is missing.
    """
    content = read_json(path)
    readers = {"llama": _llama_shape, "gpt2": _gpt2_shape}
    kind = content.get("model_type")
    if kind not in readers:
        raise InputError(f"{path}: model_type is {kind!r}; this decoder knows {' and '.join(readers)}")
    if not content.get("tie_word_embeddings", kind == "gpt2"):
        raise InputError(f"{path}: the output layer is not tied to the embeddings; only tied decoders are supported")
    try:
        return readers[kind](content)
    except KeyError as error:
        raise InputError(f"{path}: key {error} is missing") from None


def _llama_shape(c: dict[str, Any]) -> DecoderConfig:
    return DecoderConfig(
        vocabulary=c["vocab_size"], width=c["hidden_size"], layers=c["num_hidden_layers"], heads=c["num_attention_heads"],
        kv_heads=c["num_key_value_heads"], head_dim=c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"],
        mlp_width=c["intermediate_size"], norm_epsilon=c["rms_norm_eps"], positions=c["max_position_embeddings"],
        rope_base=float(c.get("rope_theta") or c["rope_parameters"]["rope_theta"]), gated=True, rms=True, bias=False,
    )


def _gpt2_shape(c: dict[str, Any]) -> DecoderConfig:
    return DecoderConfig(
        vocabulary=c["vocab_size"], width=c["n_embd"], layers=c["n_layer"], heads=c["n_head"], kv_heads=c["n_head"],
        head_dim=c["n_embd"] // c["n_head"], mlp_width=c.get("n_inner") or 4 * c["n_embd"],
        norm_epsilon=c["layer_norm_epsilon"], positions=c["n_positions"], rope_base=None, gated=False, rms=False, bias=True,
    )


def from_hugging_face(tensors: dict[str, Tensor], rms: bool) -> dict[str, Tensor]:
    """Rename tensors from Hugging Face's names (Llama, or GPT-2 with its Conv1D layout) to the decoder's."""
    return _from_llama(tensors) if rms else _from_gpt2(tensors)


def to_hugging_face(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a decoder's tensors to Hugging Face's names; the inverse of `from_hugging_face`."""
    return _to_gpt2(tensors) if "position.weight" in tensors else _to_llama(tensors)


def _to_llama(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = {ours: theirs for theirs, ours in LLAMA.items()}
    top = {ours: theirs for theirs, ours in LLAMA_TOP.items()}
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.weight", name)
        renamed[f"model.layers.{match[1]}.{parts[match[2]]}.weight" if match else top[name]] = tensor
    return renamed


def _to_gpt2(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = {ours: theirs for theirs, ours in GPT2.items()}
    top = {ours: theirs for theirs, ours in GPT2_TOP.items()}
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
        value = tensor.t() if match and tensor.ndim == 2 else tensor  # Conv1D keeps [in, out]
        if match is None:
            renamed[f"transformer.{top[name]}"] = tensor
        elif match[2] == "attention.q":
            rest = [tensors[name.replace("attention.q", f"attention.{site}")] for site in "kv"]
            fused = torch.cat((tensor, *rest))
            renamed[f"transformer.h.{match[1]}.attn.c_attn.{match[3]}"] = (fused.t() if fused.ndim == 2 else fused).contiguous()
        elif match[2] not in ("attention.k", "attention.v"):
            renamed[f"transformer.h.{match[1]}.{parts[match[2]]}.{match[3]}"] = value.contiguous()
    return renamed


def _from_llama(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if match and match[2] in LLAMA:
            renamed[f"blocks.{match[1]}.{LLAMA[match[2]]}.{match[3]}"] = tensor
        elif name != "lm_head.weight":  # tied to the embeddings
            renamed[LLAMA_TOP.get(name, name)] = tensor
    return renamed


def _from_gpt2(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for full_name, tensor in tensors.items():
        name = full_name.removeprefix("transformer.")
        if name == "lm_head.weight" or re.fullmatch(r"h\.\d+\.attn\.(bias|masked_bias)", name):
            continue  # tied, and the causal mask's buffers
        match = re.fullmatch(r"h\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            renamed[GPT2_TOP.get(name, name)] = tensor
            continue
        value = tensor.t() if tensor.ndim == 2 else tensor  # Conv1D keeps [in, out]
        if match[2] == "attn.c_attn":
            for site, part in zip("qkv", value.chunk(3), strict=True):
                renamed[f"blocks.{match[1]}.attention.{site}.{match[3]}"] = part.contiguous()
        else:
            renamed[f"blocks.{match[1]}.{GPT2.get(match[2], match[2])}.{match[3]}"] = value.contiguous()
    return renamed


def load_decoder(folder: Path) -> Decoder:
    """Build the decoder of a folder and fill it, in float32.

    Raises:
        InputError: a tensor is missing, left over or of another shape than config.json says; names the first.
    """
    config = read_config(folder / "config.json")
    weights = folder / "model.safetensors"
    tensors = from_hugging_face(read_tensors(weights), config.rms)
    with torch.device("meta"):
        decoder = Decoder(config)
    fill(decoder, tensors, weights)
    return decoder.float()


def share(decoder: Decoder) -> Decoder:
    """Build a second decoder on the tensors of a first: modules may be put in, and tensors replaced, without a trace in the first.

    Writing into a shared tensor in place changes both.
    """
    with torch.device("meta"):
        second = Decoder(decoder.config)
    second.load_state_dict(decoder.state_dict(), assign=True)
    return second


def fill(module: torch.nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Put exactly these tensors into a module; InputError names the first that is missing, left over or misshapen."""
    compare(module.state_dict(), tensors, source)
    module.load_state_dict(tensors, assign=True)


def compare(expected: dict[str, Tensor], found: dict[str, Tensor], source: Path) -> None:
    """Check that tensors have exactly the expected names and shapes; InputError names the first that does not."""
    for name, tensor in expected.items():
        if name not in found:
            raise InputError(f"{source}: tensor {name} is missing")
        if found[name].shape != tensor.shape:
            raise InputError(f"{source}: tensor {name} has shape {list(found[name].shape)}, expected {list(tensor.shape)}")
    extra = sorted(set(found) - set(expected))
    if extra:
        raise InputError(f"{source}: tensor {extra[0]} is left over; it belongs to another model, method or base")
