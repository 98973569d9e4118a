"""`vltune caption IMAGE --attention OUT.png`: the picture, and wrong input."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import repository
from command import vltune


@pytest.fixture(scope="module")
def root(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = repository.make(tmp_path_factory.mktemp("repository"), tiny)
    repository.write_run(root, "crossed", "lora", "caption", 7, fusion="cross")
    repository.draw(root / "photos", "a.png", "b.jpg")
    return root


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt", "crossed"])
def test_a_picture_is_drawn_and_the_caption_is_the_same(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, method: str
) -> None:
    given = ("caption", root / "photos/a.png", "--method", method, "--root", root)
    assert vltune(*given) == (0, "")
    before = capsys.readouterr().out
    assert vltune(*given, "--attention", tmp_path / "new/out.png") == (0, "")
    assert capsys.readouterr().out == before
    with Image.open(tmp_path / "new/out.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100


@pytest.mark.parametrize(("image", "out", "message"), [
    ("photos", "out.png", "photos: is a folder; expected one image with --attention"),
    ("photos/a.png", "out.jpg", "out.jpg: expected a name that ends in .png for the output"),
    ("photos/a.png", "photos", "photos: cannot be written, it is a folder; expected the name of a .png file"),
    ("photos/a.png", "photos/a.png", "a.png: is the image itself; expected another name with --attention"),
])
def test_wrong_input_is_named_and_nothing_is_lost(root: Path, image: str, out: str, message: str) -> None:
    before = {file: file.read_bytes() for file in (root / "photos").iterdir()}
    code, text = vltune(
        "caption", root / image, "--method", "lora", "--root", root, "--attention", root / out)
    assert code == 1
    assert message in text
    assert {file: file.read_bytes() for file in (root / "photos").iterdir()} == before


def test_a_section_that_is_wrong_is_named(root: Path, tmp_path: Path) -> None:
    params = (root / "params.yaml").read_text()
    assert "layers: []" in params
    try:
        (root / "params.yaml").write_text(params.replace("layers: []", "layers: [7]"))
        code, text = vltune("caption", root / "photos/a.png", "--method", "lora", "--root", root,
                            "--attention", tmp_path / "out.png")
    finally:
        (root / "params.yaml").write_text(params)
    assert (code, (tmp_path / "out.png").exists()) == (1, False)
    assert "attention.layers holds 7; the decoder's layers are 0 to 1" in text
