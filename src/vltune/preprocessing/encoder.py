"""The frozen image encoder: any plain vision transformer of timm, its patch tokens pooled to a square grid,
and its class and register tokens beside it.

Shapes: b batch, s side of the image in pixels, p side of the patch grid, g side of the token grid, e extra
tokens, w width of a token.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from timm.models import Beit, Eva, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.model.precision import choose_device, choose_dtype
from vltune.model.tensors import read_tensors
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.preprocessing.images import Fit, fitting
from vltune.preprocessing.settings import FeatureSettings, to_signature


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
    """Images in, a g x g grid of tokens and e extra tokens out."""

    def __init__(self, folder: Path, settings: FeatureSettings, dtype: torch.dtype) -> None:
        """Load the weights of a folder into the timm model that its config.json names.

        Raises:
            InputError: timm does not know the name or it is not a plain vision transformer, the weights do
                not fit, the image size or the grid does not divide evenly, there is no such layer or token;
                says which there are.
        """
        super().__init__()
        vit = open_vit(folder)
        patch = vit.patch_embed.feat_ratio()
        self.patches, rest = divmod(settings.image_size, patch)
        if rest:
            raise _wrong("image_size", settings.image_size,
                         f"must be a multiple of the patch, {patch} pixels")
        self.grid = _grid(settings, self.patches)
        self.block = _block(settings, len(vit.blocks))
        extra = _extra(settings, vit)
        self.extra = [take for _, take in extra]
        self.tokens = self.grid**2 + sum(count for count, _ in extra)
        vit.float().set_input_size(img_size=settings.image_size)  # resamples the position table
        self.data = timm.data.resolve_model_data_config(vit)
        self.settings, self.vit, self.dtype = settings, vit.eval().to(dtype), dtype
        self.pools = POOLS[settings.pooling]
        self.width = vit.num_features * len(self.pools)
        self.register_buffer("mean", torch.tensor(self.data["mean"]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(self.data["std"]).view(3, 1, 1))

    def fitting(self, size: int | None = None) -> Fit:
        """Give the function that makes a square of an RGB image, of the encoder's or another size."""
        return fitting(self.settings.fit, size or self.settings.image_size, self.data)

    @torch.inference_mode()
    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels, uint8 [b, 3, s, s], to float16 tokens [b, g * g + e, w]: the pooled patches of each
        cell of the grid, row by row, and the extra tokens, with a deviation of zero."""
        x = ((pixels / 255 - self.mean) / self.std).to(self.dtype)
        (output,) = self.vit.forward_intermediates(
            x, indices=[self.block], norm=True, output_fmt="NLC", return_prefix_tokens=True,
            intermediates_only=True, stop_early=True)
        patches, prefix = output if self.vit.num_prefix_tokens else (output, output[:, :0])
        square = patches.float().transpose(1, 2).unflatten(2, (self.patches, self.patches))
        cells = torch.cat([pool(square, self.patches // self.grid) for pool in self.pools], 1)
        tokens = [cells.flatten(2).transpose(1, 2)]
        for take in self.extra:
            extra = take(torch.cat((prefix, patches), 1)).float()
            tokens.append(F.pad(extra, (0, self.width - extra.shape[-1])))
        return torch.cat(tokens, 1).half()

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Do the same from and to numpy arrays, on the encoder's own device."""
        return self(torch.from_numpy(pixels).to(self.mean.device)).cpu().numpy()


def _wrong(key: str, value: Any, why: str) -> InputError:
    return InputError(f"params.yaml: preprocess.{key} = {value}: {why}")


def _grid(settings: FeatureSettings, patches: int) -> int:
    if not settings.grid and settings.pooling != "mean":
        raise _wrong("pooling", settings.pooling,
                     "a single patch has no deviation; choose mean for preprocess.grid = 0")
    grid = settings.grid or patches
    if patches % grid:
        raise _wrong("grid", grid, f"must divide the {patches} patches of a side")
    return grid


def _block(settings: FeatureSettings, blocks: int) -> int:
    if settings.layer < -blocks:
        raise _wrong("layer", settings.layer, f"the encoder has {blocks} blocks; choose -{blocks} to -1")
    return blocks + settings.layer


Take = Callable[[Tensor], Tensor]


def _extra(settings: FeatureSettings, vit: nn.Module) -> list[tuple[int, Take]]:
    """Give the number of the chosen extra tokens, and functions that take them [b, e, w] out of all tokens of
    a layer's output.

    An encoder without a class token that pools its patches by attention, such as SigLIP, has the pooled
    vector instead; its pooling was trained on the last layer alone.
    """
    there: dict[str, tuple[int, Take]] = {}
    if vit.cls_token is not None:
        there["class"] = 1, lambda tokens: tokens[:, :1]
    elif getattr(vit, "attn_pool", None) is not None and settings.layer == -1:
        there["class"] = 1, lambda tokens: vit.pool(tokens)[:, None]
    registers = getattr(vit, "reg_token", None)
    if registers is not None:
        end, count = vit.num_prefix_tokens, registers.shape[1]
        there["registers"] = count, lambda tokens: tokens[:, end - count:end]
    chosen = [] if settings.extra_tokens == "none" else settings.extra_tokens.split("+")
    for name in chosen:
        if name not in there:
            raise _wrong("extra_tokens", settings.extra_tokens,
                         f"layer {settings.layer} of the encoder has no {name} token; choose "
                         f"{'+'.join(there) or 'none'}")
    return [there[name] for name in chosen]


def open_vit(folder: Path) -> nn.Module:
    """Build the timm model of a folder, with its weights; raises InputError as `Encoder` does."""
    path = folder / "config.json"
    description = read_json(path)
    name = description.get("architecture")
    if not timm.is_model(str(name)):
        raise InputError(f"{path}: timm {timm.__version__} has no model {name!r}")
    vit = _without_weights(name, description.get("arguments", {}), description.get("pretrained_cfg", {}))
    if not isinstance(vit, (VisionTransformer, Eva, Beit)):
        raise InputError(
            f"{path}: {name} is a {type(vit).__name__}, not a plain vision transformer, whose blocks keep a "
            f"token for each patch (timm's VisionTransformer, Eva or Beit)"
        )
    try:
        vit.load_state_dict(read_tensors(folder / "model.safetensors"), assign=True)
    except RuntimeError as error:
        raise InputError(f"{folder / 'model.safetensors'}: does not fit {name}: {error}") from None
    return vit


def _without_weights(name: str, arguments: dict[str, Any], data: dict[str, Any]) -> nn.Module:
    """Build a timm model whose weights are to be loaded; drawing initial ones would take longer than all the
    rest. `data` is what is known of its preprocessing, beyond what timm knows."""
    def build() -> nn.Module:
        return timm.create_model(name, num_classes=0, pretrained_cfg_overlay=data, **arguments)

    with torch.device("meta"):
        vit = build()
    # tables that are computed, and need not be in the file
    return build() if any(buffer.is_meta for buffer in vit.buffers()) else vit


def load(folder: Path, settings: FeatureSettings) -> tuple[Encoder, dict[str, Any]]:
    """Load an encoder onto the machine's device, and say what its features depend on (their signature)."""
    where = choose_device()
    dtype = choose_dtype(settings.precision, where)
    encoder = Encoder(folder, settings, dtype).to(where)
    if where.type == "cpu":  # torch's fused attention takes half as long again there (benchmarks/features.py)
        for part in encoder.vit.modules():
            if hasattr(part, "fused_attn"):
                part.fused_attn = False
    return encoder, _signature(encoder, read_json(folder / "config.json"))


def _signature(encoder: Encoder, description: dict[str, Any]) -> dict[str, Any]:
    signature = {
        "encoder": description["architecture"], "weights_sha256": description["weights_sha256"],
        "image_size": encoder.settings.image_size, "tokens": encoder.tokens, "width": encoder.width,
        "pooling": encoder.settings.pooling, "precision": str(encoder.dtype).removeprefix("torch."),
    } | to_signature(encoder.settings)
    if encoder.settings.fit == "crop":
        signature["crop_pct"] = encoder.data["crop_pct"]
    if encoder.extra:
        signature["cells"] = encoder.grid**2  # the first of the tokens; the others are the extra ones
    if "pretrained_cfg" in description:
        signature["preprocessing"] = description["pretrained_cfg"]
    return signature
