"""Encoders of several families, tiny and random, against timm's own computation of their tokens."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from repository import features
from vltune.pipeline.errors import InputError
from vltune.preprocessing.encoder import load
from vltune.preprocessing.images import read_image
from vltune.preprocessing.settings import from_signature
from vltune.sources.convert import write_base

SMALL = {"depth": 3, "embed_dim": 32, "num_heads": 2}
# by family: timm's name, the side of a patch, class tokens, register tokens
FAMILIES = {
    "dinov2": ("vit_small_patch14_dinov2", 14, 1, 0),
    "dinov2 with registers": ("vit_small_patch14_reg4_dinov2", 14, 1, 4),
    "clip": ("vit_base_patch16_clip_224", 16, 1, 0),
    "siglip": ("vit_base_patch16_siglip_224", 16, 0, 0),
    "dinov3": ("vit_small_patch16_dinov3", 16, 1, 4),
    "hybrid": ("vit_tiny_r_s16_p8_224", 32, 1, 0),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, torch.nn.Module]]:
    """A folder, and the timm model in it, of each family."""
    made = {}
    for family, (name, *_) in FAMILIES.items():
        torch.manual_seed(0)
        vit = timm.create_model(name, num_classes=0, **SMALL)
        for parameter in vit.parameters():  # no bias, scale or token stays at zero
            parameter.data += 0.1 * torch.randn(parameter.shape)
        folder = tmp_path_factory.mktemp("vit")
        write_base(folder, vit.state_dict(), {"architecture": name, "arguments": SMALL})
        made[family] = folder, vit.eval()
    return made


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "wide.png"
    noise = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((140, 90)).save(path)
    return path


def tokens_by_timm(vit: torch.nn.Module, photo: Path, size: int, block: int | None) -> torch.Tensor:
    """The tokens of the last or another block, of an image that timm's own evaluation prepares."""
    vit = deepcopy(vit)
    vit.set_input_size(img_size=size)
    data = timm.data.resolve_model_data_config(vit) | {"input_size": (3, size, size), "crop_mode": "center"}
    with Image.open(photo) as image:
        x = timm.data.create_transform(**data)(image)[None]
    with torch.no_grad():
        if block is None:
            return vit.forward_features(x)[0]
        rest, (chosen,) = vit.forward_intermediates(
            x, indices=[block], norm=True, output_fmt="NLC", return_prefix_tokens=True)
        patches, prefix = chosen if vit.num_prefix_tokens else (chosen, chosen[:, :0])
        assert rest.shape[1] == prefix.shape[1] + patches.shape[1]
        return torch.cat((prefix, patches), 1)[0]


@pytest.mark.parametrize("layer", [-1, -2])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_is_timms(folders: dict, photo: Path, family: str, layer: int) -> None:
    (folder, vit), (_, patch, classes, registers) = folders[family], FAMILIES[family]
    size = 3 * patch
    kept = "+".join(name for name, count in (("class", classes), ("registers", registers)) if count) or "none"
    chosen = features(size, 0, pooling="mean", fit="crop", layer=layer, extra_tokens=kept)
    encoder, signature = load(folder, chosen)
    ours = encoder.encode(read_image(photo, encoder.fitting(), 10**6)[None])[0]
    theirs = tokens_by_timm(vit, photo, size, None if layer == -1 else 1)
    assert ours.shape == (9 + classes + registers, 32) == (signature["tokens"], signature["width"])
    expected = torch.cat((theirs[classes + registers:], theirs[:classes + registers])).numpy()
    np.testing.assert_allclose(ours, expected, atol=4e-3, rtol=2e-3)  # ours are kept in half precision
    assert signature.get("layer", -1) == layer
    assert from_signature(signature, folder) == chosen.model_copy(update={"grid": 3})


def test_an_encoder_without_class_token_gives_its_attention_pooling(folders: dict, photo: Path) -> None:
    folder, vit = folders["siglip"]
    encoder, _ = load(folder, features(48, 3, pooling="mean", fit="crop", extra_tokens="class"))
    ours = encoder.encode(read_image(photo, encoder.fitting(), 10**6)[None])[0]
    theirs = tokens_by_timm(vit, photo, 48, None)
    with torch.no_grad():
        pooled = vit.forward_head(theirs[None])[0]
    np.testing.assert_allclose(ours[-1], pooled, atol=4e-3, rtol=2e-3)


def test_the_extra_tokens_have_a_deviation_of_zero(folders: dict) -> None:
    folder, _ = folders["dinov2 with registers"]
    pixels = np.random.default_rng(1).integers(0, 256, (2, 3, 56, 56), dtype=np.uint8)
    plain = load(folder, features(56, 2))[0].encode(pixels)
    encoder, signature = load(folder, features(56, 2, extra_tokens="registers"))
    both = encoder.encode(pixels)
    np.testing.assert_array_equal(both[:, :4], plain)
    assert both.shape == (2, 8, 64)
    assert not both[:, 4:, 32:].any()
    assert both[:, 4:, :32].any()
    assert (signature["cells"], signature["tokens"], signature["extra_tokens"]) == (4, 8, "registers")


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_how_an_image_becomes_a_square(folders: dict, photo: Path, fit: str) -> None:
    encoder, _ = load(folders["clip"][0], features(64, 2, fit=fit))
    pixels = read_image(photo, encoder.fitting(), 10**6)
    with Image.open(photo) as opened:
        image = opened.copy()
    bicubic = Image.Resampling.BICUBIC
    if fit == "squash":
        expected = np.asarray(image.resize((64, 64), bicubic))
    elif fit == "crop":
        side = int(64 / encoder.data["crop_pct"])
        assert side > 64
        wide = int(side * 140 / 90)
        left, top = round((wide - 64) / 2), round((side - 64) / 2)
        expected = np.asarray(image.resize((wide, side), bicubic))[top:top + 64, left:left + 64]
    else:
        high = round(90 * 64 / 140)
        mean = [round(255 * value) for value in encoder.data["mean"]]
        expected = np.tile(np.array(mean, dtype=np.uint8), (64, 64, 1))
        expected[(64 - high) // 2:(64 - high) // 2 + high] = np.asarray(image.resize((64, high), bicubic))
    np.testing.assert_array_equal(pixels.transpose(1, 2, 0), expected)


def test_the_interpolation_and_the_normalisation_are_the_encoders_own(folders: dict, tmp_path: Path) -> None:
    _, vit = folders["clip"]
    data = {"mean": [0.1, 0.2, 0.3], "std": [0.7, 0.8, 0.9], "interpolation": "bilinear", "crop_pct": 0.5}
    description = {"architecture": FAMILIES["clip"][0], "arguments": SMALL, "pretrained_cfg": data}
    write_base(tmp_path, vit.state_dict(), description)
    encoder, signature = load(tmp_path, features(64, 2, fit="crop"))
    assert encoder.mean.flatten().tolist() == pytest.approx(data["mean"])
    assert encoder.std.flatten().tolist() == pytest.approx(data["std"])
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8))
    expected = image.resize((128, int(128 * 90 / 70)), Image.Resampling.BILINEAR).crop((32, 50, 96, 114))
    np.testing.assert_array_equal(encoder.fitting()(image).transpose(1, 2, 0), np.asarray(expected))
    assert signature["preprocessing"] == data
    assert signature["crop_pct"] == 0.5


@pytest.mark.parametrize(("family", "change", "message"), [
    ("siglip", {"extra_tokens": "registers"}, r"= registers: .* has no registers token; choose class"),
    ("siglip", {"extra_tokens": "class", "layer": -2}, r"layer -2 .* has no class token; choose none"),
    ("clip", {"extra_tokens": "class+registers"}, r"has no registers token; choose class"),
    ("dinov3", {"layer": -4}, r"preprocess\.layer = -4: the encoder has 3 blocks; choose -3 to -1"),
    ("clip", {"grid": 0}, r"preprocess\.pooling = mean\+deviation: a single patch has no deviation"),
])
def test_what_an_encoder_lacks_is_named(folders: dict, family: str, change: dict, message: str) -> None:
    size = 2 * FAMILIES[family][1]
    with pytest.raises(InputError, match=message):
        load(folders[family][0], features(size, **{"grid": 2} | change))


def test_a_model_without_a_token_for_each_patch_is_refused(tmp_path: Path) -> None:
    write_base(tmp_path, {"x": torch.zeros(1)}, {"architecture": "swin_tiny_patch4_window7_224"})
    with pytest.raises(InputError, match=r"is a SwinTransformer, not a plain vision transformer"):
        load(tmp_path, features(224, 2))
