"""Any image that people have is read upright and in colour, or named with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repository import features
from vltune.data.features import Features
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import Image as Record
from vltune.preprocessing.encoder import load
from vltune.preprocessing.extract import cache_split
from vltune.preprocessing.images import fitting, read_image

RED, BLUE = (200, 30, 30), (20, 40, 210)
SQUARE = fitting("squash", 28, {"interpolation": "bicubic", "mean": (0.5, 0.5, 0.5)})


@pytest.fixture
def picture() -> Image.Image:
    """Red on the left, blue on the right, twice as wide as high."""
    image = Image.new("RGB", (64, 32), RED)
    image.paste(BLUE, (32, 0, 64, 32))
    return image


def sides(pixels: np.ndarray) -> tuple[list[int], list[int]]:
    assert pixels.shape == (3, 28, 28)
    assert pixels.dtype == np.uint8
    return pixels[:, 14, 4].tolist(), pixels[:, 14, 24].tolist()


@pytest.mark.parametrize(("name", "mode"), [
    ("plain.png", "RGB"), ("palette.png", "P"), ("palette.gif", "P"), ("alpha.png", "RGBA"), ("plain.webp",
     "RGB"), ("plain.bmp", "RGB"),
    ("plain.tiff", "RGB"),
])
def test_formats(tmp_path: Path, picture: Image.Image, name: str, mode: str) -> None:
    image = picture.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else picture.convert(mode)
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    left, right = sides(read_image(tmp_path / name, SQUARE, 10_000))
    assert np.abs(np.array(left) - RED).max() <= 3
    assert np.abs(np.array(right) - BLUE).max() <= 3


def test_cmyk(tmp_path: Path, picture: Image.Image) -> None:
    picture.convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    left, right = sides(read_image(tmp_path / "print.jpg", SQUARE, 10_000))
    assert left[0] > 150 > 80 > left[2]
    assert right[2] > 150 > 80 > right[0]


@pytest.mark.parametrize("mode", ["L", "1", "I;16", "F", "LA"])
def test_grey(tmp_path: Path, mode: str) -> None:
    grey = np.tile(np.linspace(0, 255, 64, dtype=np.float32), (32, 1))
    image = (
        Image.fromarray((grey * 257).astype(np.uint16))
        if mode == "I;16"
        else Image.fromarray(grey).convert(mode if mode in ("F", "L") else "L")
    )
    image = image.convert(mode) if mode in ("1", "LA") else image
    name = "grey.tiff" if mode == "F" else "grey.png"
    image.save(tmp_path / name)
    pixels = read_image(tmp_path / name, SQUARE, 10_000)
    assert (pixels[0] == pixels[1]).all()
    assert (pixels[0] == pixels[2]).all()
    assert pixels[0, :, :5].mean() < 60 < 190 < pixels[0, :, -5:].mean()


def test_turned_by_the_camera(tmp_path: Path, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    picture.save(tmp_path / "turned.png", exif=exif)
    left, right = sides(read_image(tmp_path / "turned.png", SQUARE, 10_000))
    assert left == list(BLUE)
    assert right == list(RED)


def test_transparent_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png", SQUARE, 10_000) == 255).all()


def test_the_first_frame_of_an_animation(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(
        tmp_path / "moving.gif", save_all=True, append_images=[Image.new("RGB", (64, 32), "white")],
        duration=100,
    )
    left, _ = sides(read_image(tmp_path / "moving.gif", SQUARE, 10_000))
    assert left[0] > 150 > 80 > left[2]


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (3000, 3000)).save(tmp_path / "huge.png")
    with pytest.raises(InputError, match=r"3000 x 3000 pixels are more than preprocess\.pixel_limit = 10000"):
        read_image(tmp_path / "huge.png", SQUARE, 10_000)


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "UnidentifiedImageError: cannot identify image file"), (b"not an image", "UnidentifiedImageError"),
     (None, "FileNotFoundError"),
])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_image(tmp_path / "bad.jpg", SQUARE, 10_000)


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png"])
def test_a_cut_image_is_named(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:len(whole) // 2])
    with pytest.raises(InputError, match=r"OSError: .*truncated"):
        read_image(tmp_path / name, SQUARE, 10_000)


def encode(pixels: np.ndarray) -> np.ndarray:
    """Stands for the encoder: the mean colour as one token."""
    return pixels.mean((2, 3), dtype=np.float32)[:, None].astype(np.float16)


def cached(folder: Path, names: list[str], share: float) -> dict[str, str]:
    images = [Record(i, name) for i, name in enumerate(names)]
    return cache_split(
        images, folder, folder / "features", "train", lambda path: read_image(path, SQUARE, 10_000), encode,
        (1, 3), 2, share,
    )


def test_unreadable_images_are_left_out_and_named(tmp_path: Path, picture: Image.Image) -> None:
    for i in range(5):
        picture.save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(b"nothing")
    left_out = cached(tmp_path, [f"{i}.png" for i in range(5)], 0.5)
    assert list(left_out) == ["2.png"]
    (tmp_path / "features/signature.json").write_text("{}")
    features = Features(tmp_path / "features", "train")
    assert features.ids == [0, 1, 3, 4]
    assert features.take([4, 0]).shape == (2, 1, 3)
    np.testing.assert_array_equal(features.take([0]), features.take([4]))


def test_too_many_unreadable_images_end_the_stage(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "0.png")
    with pytest.raises(
        InputError, match=r"max_unreadable_share = 0\.4 allows 1 of 3; the first is 1\.png: FileNotFoundError"
    ):
        cached(tmp_path, ["0.png", "1.png", "2.png"], 0.4)


def test_a_cut_cache_is_named(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "0.png")
    cached(tmp_path, ["0.png"], 0.0)
    (tmp_path / "features/signature.json").write_text("{}")
    (tmp_path / "features/train.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"train\.npy: cannot be read as features, is the file whole\?"):
        Features(tmp_path / "features", "train")


@pytest.mark.parametrize(("size", "grid", "message"), [
    (30, 1, r"preprocess\.image_size = 30: must be a multiple of the patch, 16 pixels"),
    (64, 3, r"preprocess\.grid = 3: must divide the 4 patches of a side"),
])
def test_sizes_that_do_not_divide(tiny: Path, size: int, grid: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tiny / "encoder", features(size, grid))


def test_tokens_are_the_means_and_deviations_of_the_grid_cells(tiny: Path) -> None:
    encoder, signature = load(tiny / "encoder", features(64, 2))
    fine, _ = load(tiny / "encoder", features(64, 4, pooling="mean"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8)
    coarse, patches = encoder.encode(pixels), fine.encode(pixels)
    assert coarse.shape == (2, signature["tokens"], signature["width"]) == (2, 4, 64)
    assert coarse.dtype == np.float16
    cell = patches[:, [0, 1, 4, 5]].astype(np.float32)
    np.testing.assert_allclose(coarse[:, 0], np.concatenate([cell.mean(1), cell.std(1)], -1), atol=2e-3)
