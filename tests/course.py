"""The course NTU DLCV as it reaches its students, made up: an archive with images, captions and a tiny
decoder, and the two files of the tokenizer beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from tokenizers import pre_tokenizers

from vltune.model.decoder import Decoder, DecoderConfig
from vltune.model.families import gpt2

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
MERGES = [("Ġ", "a"), ("r", "e"), ("re", "d"), ("Ġ", "s"), ("Ġ", "red")]
TOKENS = {token: i for i, token in enumerate([*ALPHABET, *map("".join, MERGES), "<|endoftext|>"])}
CONFIG = DecoderConfig(
    vocabulary=len(TOKENS), width=64, layers=2, heads=1, kv_heads=1, head_dim=64, mlp_width=256,
    norm_epsilon=1e-5, positions=128, rope_base=None, gated=False, rms=False, bias=True,
)
COLOURS = ("red", "green", "blue", "yellow", "black", "white")
SHAPES = ("square", "circle")


def decoder() -> Decoder:
    """A random GPT-2 of two layers."""
    torch.manual_seed(0)
    made = Decoder(CONFIG)
    for parameter in made.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def write_decoder(path: Path) -> None:
    """decoder_model.bin: transformers' names without the prefix, linears transposed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = gpt2.to_hugging_face(decoder().state_dict())
    torch.save({name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}, path)


def write_tokenizer(folder: Path) -> None:
    """encoder.json and vocab.bpe."""
    (folder / "encoder.json").write_text(json.dumps(TOKENS))
    (folder / "vocab.bpe").write_text("\n".join(["#version: 0.2", *map(" ".join, MERGES)]) + "\n")


def write_split(folder: Path, split: str, count: int) -> None:
    """Images of coloured shapes, with two captions each."""
    (folder / "images" / split).mkdir(parents=True)
    images, annotations = [], []
    for i in range(count):
        colour, ground = COLOURS[i % 6], COLOURS[(i // 6 + i + 1) % 6]
        shape = SHAPES[i % 2]
        picture = Image.new("RGB", (64, 48), ground)
        pen = ImageDraw.Draw(picture)
        (pen.rectangle if shape == "square" else pen.ellipse)((20, 10, 44, 34), fill=colour)
        name = f"{split}_{i:012d}.jpg"
        picture.save(folder / "images" / split / name)
        images.append({"id": i, "file_name": name})
        for text in (f"a {colour} {shape} on {ground}", f"one {shape}, {colour}, before a {ground} wall"):
            annotations.append({"id": len(annotations), "image_id": i, "caption": text})
    (folder / f"{split}.json").write_text(json.dumps({"images": images, "annotations": annotations}))


def make(folder: Path) -> Path:
    """Write encoder.json, vocab.bpe and hw3_data.zip into a folder; give the archive."""
    inner = folder / "unpacked/hw3_data/p2_data"
    write_split(inner, "train", 24)
    write_split(inner, "val", 12)
    write_decoder(inner / "decoder_model.bin")
    write_tokenizer(folder)
    archive = shutil.make_archive(str(folder / "hw3_data"), "zip", folder / "unpacked")
    shutil.rmtree(folder / "unpacked")
    return Path(archive)
