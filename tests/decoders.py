"""A tiny random decoder of every family, as `fetch` leaves it, each with what its family alone has."""

from __future__ import annotations

from pathlib import Path

import torch

from vltune.model.decoder import Decoder
from vltune.model.loading import open_config
from vltune.pipeline.files import read_json, write_json
from vltune.sources.convert import write_base

SIZES = {
    "vocab_size": 259, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 64, "rope_theta": 1e4, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 512, "eos_token_id": 2,
}
CONFIGS = {
    "llama": SIZES | {"tie_word_embeddings": True},
    "qwen3": SIZES | {"tie_word_embeddings": False, "head_dim": 12},
    "gpt2": {"vocab_size": 259, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512,
             "layer_norm_epsilon": 1e-5, "eos_token_id": 2},
}


def write(folder: Path, family: str) -> None:
    """Write config.json and model.safetensors of a family."""
    path = folder / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, CONFIGS[family] | {"model_type": family})
    names, config = open_config(path)
    rng = torch.Generator().manual_seed(0)
    tensors = {name: 0.2 * torch.randn(value.shape, generator=rng) if value.ndim == 2 else value
               for name, value in Decoder(config).state_dict().items()}
    write_base(folder, names.to_hugging_face(tensors), read_json(path))
