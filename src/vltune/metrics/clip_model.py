"""CLIP by open_clip: weights from its hub, a file or a folder, to embeddings of images and texts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from vltune.metrics.embeddings import NotComputed
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint, sha256, whole
from vltune.pipeline.params import choice_of

BATCH = 64  # images or texts in one pass
WEIGHTS = "open_clip_model.safetensors"  # the names of a folder, as the hub has them
CONFIG = "open_clip_config.json"


class Clip:
    """CLIP in float32, on the GPU where there is one."""

    def __init__(
        self, model: Any, transform: Callable, tokenizer: Callable, signature: dict[str, Any]
    ) -> None:
        """Keep the parts of open_clip; `signature` says which model and which weights these are."""
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model, self.transform, self.tokenizer = model.eval().to(self.device), transform, tokenizer
        self.signature = signature

    def images(self, label: str, paths: Sequence[Path]) -> np.ndarray:
        """Embed images: [images, width], each of length 1; InputError names one that cannot be read."""
        def batch(part: Sequence[Path]) -> Tensor:
            return self.model.encode_image(torch.stack([self._read(path) for path in part]).to(self.device))
        return _embedded(label, paths, batch)

    def texts(self, label: str, texts: Sequence[str]) -> np.ndarray:
        """Embed texts: [texts, width], each of length 1; what is longer than CLIP's context is cut off."""
        return _embedded(
            label, texts, lambda part: self.model.encode_text(self.tokenizer(list(part)).to(self.device))
        )

    def cached(self, folder: Path, label: str, items: Sequence[Any]) -> np.ndarray:
        """Embed images (paths) or texts, or read what was embedded before by the same weights."""
        are_images = isinstance(items[0], Path)
        names = [sha256(_there(path)) for path in items] if are_images else list(items)
        path = folder / f"{fingerprint([self.signature, self.device.type, are_images, names])}.npy"
        if path.is_file():
            return np.load(path)
        embeddings = (self.images if are_images else self.texts)(label, items)
        with whole(path) as part, part.open("wb") as file:
            np.save(file, embeddings)
        return embeddings

    def _read(self, path: Path) -> Tensor:
        try:
            with Image.open(_there(path)) as image:
                return self.transform(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"{path}: cannot be read as an image: {error}") from None


def _there(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such image; CLIPScore needs the image of every caption")
    return path


@torch.inference_mode()
def _embedded(label: str, items: Sequence[Any], encode: Callable[[Sequence[Any]], Tensor]) -> np.ndarray:
    """Encode items in batches; float64, each row divided by its length."""
    parts = []
    with tqdm(total=len(items), desc=f"CLIP: {label}", file=sys.stderr, disable=len(items) < BATCH) as bar:
        for start in range(0, len(items), BATCH):
            parts.append(encode(items[start:start + BATCH]).double().cpu().numpy())
            bar.update(len(parts[-1]))
    rows = np.concatenate(parts)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def load(name: str, weights: str) -> Clip:
    """Load the model `name` of open_clip; `weights` is a name in open_clip's hub, a file, or a folder with
    open_clip_config.json and open_clip_model.safetensors (`name` is then that of the folder's config).

    Raises:
        NotComputed: open_clip is not installed, or the weights cannot be fetched.
        InputError: there is no such model or name, or a file does not hold the weights of the model.
    """
    try:
        import open_clip
    except ImportError:
        raise NotComputed("open_clip is not installed; install it with `make setup EXTRAS=clip`") from None
    path = Path(weights)
    if path.is_dir():
        name, file = f"local-dir:{path}", path / WEIGHTS
        for part in (path / CONFIG, file):
            if not part.is_file():
                raise InputError(f"{path}: has no {part.name}; expected {CONFIG} and {WEIGHTS}")
    else:
        choice_of("key 'clipscore.model': open_clip has no model", name, open_clip.list_models())
        file = path if path.is_file() else None
    described = {"model": path.resolve().name if path.is_dir() else name,
                 "open_clip": version("open_clip_torch"), "weights": sha256(file) if file else weights}
    create = _from_hub if file is None else _from_file
    model, transform = create(open_clip, name, weights)
    return Clip(model, transform, open_clip.get_tokenizer(name), described)


def _from_hub(open_clip: Any, name: str, weights: str) -> tuple[Any, Callable]:
    known = open_clip.list_pretrained_tags_by_model(name)
    choice_of(f"key 'clipscore.weights': no such file or folder, and {name} has no weights", weights, known)
    try:
        return open_clip.create_model_from_pretrained(name, weights)
    except Exception as error:  # noqa: BLE001 - the libraries below open_clip raise what they like without a network
        sys.stderr.write(f"CLIPScore: {type(error).__name__}: {error}\n")
        raise NotComputed(
            f"the weights {weights!r} of {name} could not be fetched; set clipscore.weights to a file"
        ) from None


def _from_file(open_clip: Any, name: str, weights: str) -> tuple[Any, Callable]:
    arguments = [name] if Path(weights).is_dir() else [name, weights]
    try:
        return open_clip.create_model_from_pretrained(*arguments)
    except Exception as error:  # noqa: BLE001 - wrong files fail in the readers of three formats
        raise InputError(
            f"{weights}: cannot be read as weights of {name}, without running code in it: expected a state "
            f"dict in safetensors or PyTorch's format ({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from None
