"""The frozen image encoder: any timm vision transformer, its patch tokens pooled to a square grid.

Shapes: b batch, s side of the image in pixels, p side of the
patch grid, g side of the token grid, w width of a token.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.model.precision import choose_device, choose_dtype
from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import choice_of


def _mean(x: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(x, side)


def _deviation(x: Tensor, side: int) -> Tensor:
    return (F.avg_pool2d(x.square(), side) - F.avg_pool2d(x, side).square()).clamp(min=0).sqrt()


# What a token says of the patches in its cell. The deviation tells a thing that shares its cell with the
# background from one that fills it, as the mean alone does not. Source: Snyder et al. 2018, X-Vectors,
# section 2.1 (statistics pooling).
POOLS: dict[str, tuple[Callable[[Tensor, int], Tensor], ...]] = {
    "mean": (_mean,), "mean+deviation": (_mean, _deviation),
}


class Encoder(nn.Module):
    """Images in, a g x g grid of tokens out."""

    def __init__(self, folder: Path, image_size: int, grid: int, pooling: str, dtype: torch.dtype) -> None:
        """Load the weights of a folder into the timm model that its config.json names.

        Raises:
            InputError: timm does not know the name, the weights do not fit, or the image size or the grid
                does not divide evenly; says which sizes do.
        """
        super().__init__()
        description = read_json(folder / "config.json")
        name = description.get("architecture")
        if not timm.is_model(str(name)):
            raise InputError(f"{folder / 'config.json'}: timm {timm.__version__} has no model {name!r}")
        arguments = description.get("arguments", {})
        if "patch" not in str(name):
            raise InputError(f"{folder / 'config.json'}: {name} is not a vision transformer with patches")
        vit = _without_weights(name, arguments)
        try:
            vit.load_state_dict(read_tensors(folder / "model.safetensors"), assign=True)
        except RuntimeError as error:
            raise InputError(f"{folder / 'model.safetensors'}: does not fit {name}: {error}") from None
        patch = vit.patch_embed.patch_size[0]
        if image_size % patch:
            raise InputError(
                f"preprocess.image_size = {image_size}: must be a multiple of the patch, {patch} pixels"
            )
        self.patches = image_size // patch
        if self.patches % grid:
            raise InputError(f"preprocess.grid = {grid}: must divide the {self.patches} patches of a side")
        vit.float().set_input_size(img_size=image_size)  # resamples the position table
        data = timm.data.resolve_model_data_config(vit)
        self.vit, self.grid, self.dtype = vit.eval().to(dtype), grid, dtype
        self.pools = POOLS[choice_of("preprocess.pooling", pooling, list(POOLS))]
        self.width = vit.num_features * len(self.pools)
        self.register_buffer("mean", torch.tensor(data["mean"]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(data["std"]).view(3, 1, 1))

    @torch.inference_mode()
    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels, uint8 [b, 3, s, s], to float16 tokens [b,
        g * g, w]: the pooled patches of each cell of the grid."""
        x = ((pixels / 255 - self.mean) / self.std).to(self.dtype)
        tokens = self.vit.forward_features(x)[:, self.vit.num_prefix_tokens:]  # [b, p * p, w]
        square = tokens.float().transpose(1, 2).unflatten(2, (self.patches, self.patches))
        return (
            torch.cat([pool(square, self.patches // self.grid) for pool in self.pools], 1)
            .flatten(2)
            .transpose(1, 2)
            .half()
        )

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Do the same from and to numpy arrays, on the encoder's own device."""
        return self(torch.from_numpy(pixels).to(self.mean.device)).cpu().numpy()


def _without_weights(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Build a timm model whose weights are to be loaded;
    drawing initial ones would take longer than all the rest."""
    with torch.device("meta"):
        vit = timm.create_model(name, num_classes=0, **arguments)
    # tables that are computed, and need not be in the file
    if any(buffer.is_meta for buffer in vit.buffers()):
        return timm.create_model(name, num_classes=0, **arguments)
    return vit


def load(
    folder: Path, image_size: int, grid: int, pooling: str, precision: str
) -> tuple[Encoder, dict[str, Any]]:
    """Load an encoder onto the machine's device, and say what its features depend on (their signature)."""
    where = choose_device()
    dtype = choose_dtype(precision, where)
    encoder = Encoder(folder, image_size, grid, pooling, dtype).to(where)
    if where.type == "cpu":  # torch's fused attention takes half as long again there (benchmarks/features.py)
        for part in encoder.vit.modules():
            if hasattr(part, "fused_attn"):
                part.fused_attn = False
    description = read_json(folder / "config.json")
    return encoder, {
        "encoder": description["architecture"], "weights_sha256": description["weights_sha256"],
        "image_size": image_size, "tokens": grid * grid, "width": encoder.width, "pooling": pooling,
        "precision": str(dtype).removeprefix("torch."),
    }


def read_image(path: Path, size: int, pixel_limit: int) -> np.ndarray:
    """Read any image that Pillow can, as RGB, upright, scaled to a square of `size` pixels: uint8 [3, s, s].

    Turned by its EXIF orientation; of an animation the first frame; transparency is laid on white.

    Raises:
        InputError: it is missing, not an image, cut, or has more than `pixel_limit` pixels; gives the reason.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > pixel_limit:
                raise InputError(
                    f"{opened.width} x {opened.height} pixels are more than preprocess.pixel_limit = "
                    f"{pixel_limit}"
                )
            upright = ImageOps.exif_transpose(opened)
            image = _opaque(upright).resize((size, size), Image.Resampling.BICUBIC)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).replace(f" '{path}'", "").replace(str(path), path.name)
        raise InputError(f"{type(error).__name__}: {reason}") from None
    return np.asarray(image).transpose(2, 0, 1)


def _opaque(image: Image.Image) -> Image.Image:
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        grey = np.asarray(image, dtype=np.float32)
        top = max(float(grey.max()), 1.0)
        return Image.fromarray((grey * (255 / top)).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
