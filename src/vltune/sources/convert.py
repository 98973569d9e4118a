"""Published weights in other formats -> the layout of
data/base: an ONNX graph, a GGUF file, or tiny random weights.

The encoder becomes timm's own names, the decoder Hugging Face's; both as config.json + model.safetensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
import timm
import torch
from google.protobuf.message import DecodeError
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.families import llama
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import sha256, whole, write_json

VIT_S = "vit_small_patch14_dinov2"
# names in the graph of Hugging Face's Dinov2 -> names in timm's VisionTransformer
ENCODER_PARTS = {
    "norm1": "norm1", "norm2": "norm2", "attention.output.dense": "attn.proj", "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
GGUF_PARTS = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}
CONTROL_TOKEN = 3  # gguf's token type of <|im_end|> and its like


def convert_encoder(path: Path, folder: Path) -> None:
    """Convert the ONNX graph of a DINOv2 ViT-S/14 into timm's `vit_small_patch14_dinov2`.

    Linear weights are anonymous constants there: each is found
    through the MatMul that feeds the Add of its named bias.

    Raises:
        InputError: the file is not ONNX or not this network.
    """
    try:
        graph = onnx.load(str(path)).graph
    except DecodeError:
        raise InputError(f"{path}: cannot be read as ONNX, is the file whole?") from None
    constants = {c.name: torch.from_numpy(onnx.numpy_helper.to_array(c).copy()) for c in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type != "Add" or not node.input[0].endswith(".bias"):
            continue
        matmul = producers.get(node.input[1])
        if matmul is not None and matmul.op_type == "MatMul":  # stored as [in, out]
            constants[node.input[0].removesuffix("bias") + "weight"] = (
                constants[matmul.input[1]].t().contiguous()
            )
    try:
        tensors = _timm_names(constants)
        timm.create_model(VIT_S).load_state_dict(tensors)
    except (KeyError, RuntimeError, StopIteration) as error:
        raise InputError(f"{path}: this is not the expected DINOv2 ViT-S/14 ({error})") from None
    write_base(folder, tensors, {"architecture": VIT_S})


def _timm_names(constants: dict[str, Tensor]) -> dict[str, Tensor]:
    start = "backbone.embeddings."
    class_position = next(
        c for n, c in constants.items() if n.startswith("onnx::Concat") and c.shape == (1, 1, 384)
    )
    grid_position = next(
        c for n, c in constants.items() if n.startswith("onnx::Reshape") and c.shape == (1, 1369, 384)
    )
    tensors = {
        "cls_token": constants[start + "cls_token"],
        "pos_embed": torch.cat((class_position, grid_position), dim=1),
        "norm.weight": constants["backbone.layernorm.weight"],
        "norm.bias": constants["backbone.layernorm.bias"],
    }
    for part in ("weight", "bias"):
        tensors[f"patch_embed.proj.{part}"] = constants[f"{start}patch_embeddings.projection.{part}"]
    for i in range(12):
        theirs, ours = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        for part in ("weight", "bias"):
            attention = [
                constants[f"{theirs}attention.attention.{site}.{part}"] for site in ("query", "key", "value")
            ]
            tensors[f"{ours}attn.qkv.{part}"] = torch.cat(attention)
            for name, timm_name in ENCODER_PARTS.items():
                tensors[f"{ours}{timm_name}.{part}"] = constants[f"{theirs}{name}.{part}"]
        for n in (1, 2):
            tensors[f"{ours}ls{n}.gamma"] = constants[f"{theirs}layer_scale{n}.lambda1"]
    return tensors


def convert_decoder(path: Path, folder: Path) -> None:
    """Convert a Llama-style GGUF file, dequantised to float32, with its tokenizer.

    Raises:
        InputError: the file is not GGUF, is cut, or holds another architecture.
    """
    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, IndexError, OSError) as error:
        raise InputError(f"{path}: cannot be read as GGUF, is the file whole? ({error})") from None
    meta = {name: field.contents() for name, field in reader.fields.items()}
    if meta.get("general.architecture") != "llama":
        raise InputError(f"{path}: architecture is {meta.get('general.architecture')!r}, expected 'llama'")
    heads, kv_heads = meta["llama.attention.head_count"], meta["llama.attention.head_count_kv"]
    tensors = {}
    for tensor in reader.tensors:
        value = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
        if ".attn_q." in tensor.name or ".attn_k." in tensor.name:
            value = _half_split(value, heads if ".attn_q." in tensor.name else kv_heads)
        tensors[_hugging_face_name(tensor.name)] = value
    write_base(
        folder,
        tensors,
        {
            "model_type": "llama", "tie_word_embeddings": True, "hidden_act": "silu",
            "architectures": ["LlamaForCausalLM"], "vocab_size": meta["llama.vocab_size"],
            "hidden_size": meta["llama.embedding_length"], "num_hidden_layers": meta["llama.block_count"],
            "num_attention_heads": heads, "num_key_value_heads": kv_heads,
            "intermediate_size": meta["llama.feed_forward_length"],
            "rope_theta": meta["llama.rope.freq_base"],
            "rms_norm_eps": meta["llama.attention.layer_norm_rms_epsilon"],
            "max_position_embeddings": meta["llama.context_length"],
            "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        },
    )
    tokenizer = byte_level_tokenizer(
        meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.merges"],
        [i for i, token_type in enumerate(meta["tokenizer.ggml.token_type"]) if token_type == CONTROL_TOKEN])
    with whole(folder / "tokenizer.json") as part:
        tokenizer.save(str(part))


def _hugging_face_name(name: str) -> str:
    if name.startswith("blk."):
        _, layer, part, suffix = name.split(".")
        return f"model.layers.{layer}.{GGUF_PARTS[part]}.{suffix}"
    return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[name]


def _half_split(weight: Tensor, heads: int) -> Tensor:
    """Undo llama.cpp's interleaving of rotary pairs: rows (pair, 2) of each head become (2, pair)."""
    rows, columns = weight.shape
    return (
        weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns).contiguous()
    )


def byte_level_tokenizer(tokens: list[str], merges: list[str], control: list[int]) -> Tokenizer:
    """Build GPT-2's byte-level BPE with single digits split off, as SmolLM2 uses it."""
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(tokens[i], special=True) for i in control])
    return tokenizer


def write_tiny(encoder_folder: Path, decoder_folder: Path, seed: int) -> None:
    """Write a tiny random ViT and a tiny random decoder with a byte tokenizer: for tests, in milliseconds."""
    torch.manual_seed(seed)
    vit = timm.create_model("vit_tiny_patch16_224", depth=2, embed_dim=32, num_heads=2, num_classes=0)
    sizes = {"depth": 2, "embed_dim": 32, "num_heads": 2}
    write_base(encoder_folder, vit.state_dict(), {"architecture": "vit_tiny_patch16_224", "arguments": sizes})
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    config = DecoderConfig(
        vocabulary=len(alphabet) + 3, width=32, layers=2, heads=4, kv_heads=2, head_dim=8, mlp_width=64,
        norm_epsilon=1e-5, positions=512, rope_base=10000.0, gated=True, rms=True, bias=False,
    )
    tensors = {name: 0.2 * torch.randn(value.shape) if value.ndim == 2 else value
               for name, value in Decoder(config).state_dict().items()}
    write_base(
        decoder_folder,
        llama.to_hugging_face(tensors),
        {
            "model_type": "llama", "tie_word_embeddings": True, "vocab_size": config.vocabulary,
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "intermediate_size": 64, "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 512, "eos_token_id": 2,
        },
    )
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = byte_level_tokenizer(special + alphabet, [], [0, 1, 2])
    with whole(decoder_folder / "tokenizer.json") as part:
        tokenizer.save(str(part))


def write_base(folder: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write weights and their description; the description gains the weights' SHA-256."""
    weights = folder / "model.safetensors"
    with whole(weights) as part:
        save_file({name: tensor.contiguous() for name, tensor in sorted(tensors.items())}, part)
    write_json(folder / "config.json", description | {"weights_sha256": sha256(weights)})
