"""The decoder as the course NTU DLCV gives it: `decoder_model.bin` with `encoder.json` and `vocab.bpe`.

The weights are GPT-2's in PyTorch's format, by transformers' names, with the linears transposed (Conv1D); the
tokenizer is in the two files that OpenAI published. They become a folder as Hugging Face has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, whole
from vltune.sources.convert import write_base
from vltune.sources.locate import locate, required

NAME = "hw3"  # of the data set, and of the decoder in it
WEIGHTS, VOCABULARY, MERGES = "decoder_model.bin", "encoder.json", "vocab.bpe"
FOLDERS = ("", "hw3_data", "p2_data", "hw3_data/p2_data")  # where the editions of the course keep the files
END = "<|endoftext|>"
HEAD_DIM = 64  # of every size of GPT-2; the weights do not say it
EPSILON = 1e-5
BUFFERS = (".attn.bias", ".attn.masked_bias")  # the causal mask, in some editions


def holds(folder: Path) -> bool:
    """Whether a folder has the course's decoder, where one of its editions has it."""
    return locate(folder, WEIGHTS, FOLDERS).is_file()


def convert(source: Path, beside: Path, folder: Path) -> dict[str, Any]:
    """Write config.json, model.safetensors and tokenizer.json into `folder`, from the files in `source`.

    The tokenizer's files are in the course's repository, not in its archive: they may be in `beside` too.

    Returns: what SOURCE.json says about it.
    Raises:
        InputError: a file is missing or of another form; names it.
    """
    folders = (*FOLDERS, str(beside.resolve()))
    weights = required(source, WEIGHTS, FOLDERS, "it is in the course's archive")
    vocabulary, merges = (
        required(source, name, folders, "it is in the course's repository: copy it into one of these")
        for name in (VOCABULARY, MERGES)
    )
    tokenizer = read_tokenizer(vocabulary, merges)
    write_weights(weights, folder, tokenizer.token_to_id(END))
    with whole(folder / "tokenizer.json") as part:
        tokenizer.save(str(part))
    return {"name": WEIGHTS, "of": "NTU DLCV, homework 3"}


def write_weights(weights: Path, folder: Path, end: int) -> None:
    """Write config.json and model.safetensors from decoder_model.bin, of which no code is run; `end` is the
    id of the end token.

    The sizes are those of the tensors; the same weights give the same bytes.

    Raises:
        InputError: the file holds no weights of GPT-2; says what is missing.
    """
    tensors = {name.removeprefix("transformer."): tensor.float() for name, tensor in
               read_tensors(weights).items() if not name.endswith(BUFFERS)}
    tensors.pop("lm_head.weight", None)  # tied to the embeddings
    write_base(folder, tensors, _config(weights, tensors) | {"eos_token_id": end, "bos_token_id": end})


def _config(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Give the content of config.json for weights by transformers' names, with the linears transposed."""
    for name in ("wte.weight", "wpe.weight", "h.0.mlp.c_fc.weight"):
        if name not in tensors or tensors[name].ndim != 2:
            raise InputError(f"{path}: has no matrix {name}; expected GPT-2's weights by transformers' names")
    (vocabulary, width), (positions, _) = tensors["wte.weight"].shape, tensors["wpe.weight"].shape
    inputs, inner = tensors["h.0.mlp.c_fc.weight"].shape
    if inputs != width or width % HEAD_DIM:
        raise InputError(
            f"{path}: h.0.mlp.c_fc.weight is {inputs} x {inner} and the embeddings are {width} wide; "
            f"expected Conv1D's form, {width} x {4 * width}, and a multiple of {HEAD_DIM}"
        )
    layers = {name.split(".")[1] for name in tensors if name.startswith("h.")}
    return {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": vocabulary,
        "n_positions": positions, "n_embd": width, "n_layer": len(layers), "n_head": width // HEAD_DIM,
        "n_inner": inner, "activation_function": "gelu_new", "layer_norm_epsilon": EPSILON,
        "tie_word_embeddings": True,
    }


def read_tokenizer(vocabulary: Path, merges: Path) -> Tokenizer:
    """Build GPT-2's byte-level BPE from encoder.json (token: id) and vocab.bpe (a merge a line).

    Raises:
        InputError: a file has another form; names the file and the line.
    """
    tokens = read_json(vocabulary)
    if not isinstance(tokens, dict) or tokens.get(END) != len(tokens) - 1:
        raise InputError(f"{vocabulary}: expected an object {{token: id}} whose last id is that of {END}")
    lines = merges.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [_pair(merges, number, line) for number, line in enumerate(lines, 1)
             if line and not line.startswith("#version")]
    try:
        tokenizer = Tokenizer(models.BPE(tokens, pairs))
    except Exception as error:  # noqa: BLE001 - the library raises a bare Exception
        raise InputError(f"{vocabulary} and {merges} do not fit each other: {error}") from None
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    return tokenizer


def _pair(path: Path, number: int, line: str) -> tuple[str, str]:
    parts: Sequence[str] = line.split(" ")
    if len(parts) != 2:
        raise InputError(f"{path}: line {number}: expected two tokens with a space between, found {line!r}")
    return parts[0], parts[1]
