"""CLIPScore by a tiny random CLIP of open_clip, against the published definition written out in torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from torch.nn import functional as F

import repository
from command import vltune
from contracts.graph import ROOT
from vltune.metrics import clip, clip_model
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.params import read
from vltune.pipeline.records import Prediction

pytestmark = pytest.mark.slow  # open_clip takes five seconds to import
SETTINGS = Evaluate(bootstrap_samples=100, confidence=0.95, seed=0)
NAMES = ("a.png", "b.png", "c.png")
SAID = ("a red tent", "", "two dogs beside a drum " * 40)  # the last one is longer than CLIP's context
ROWS = [Prediction(i, name, text, ["a tent", f"a thing beside {name}"][:1 + i % 2])
        for i, (name, text) in enumerate(zip(NAMES, SAID, strict=True))]
CONFIG = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    },
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random CLIP, as open_clip's hub has them."""
    from open_clip import CLIP
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    write_json(folder / clip_model.CONFIG, CONFIG)
    torch.manual_seed(7)  # some of its scores are above 0
    save_file(CLIP(**CONFIG["model_cfg"]).state_dict(), folder / clip_model.WEIGHTS)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return repository.draw(tmp_path / "images", *NAMES)


def settings(weights: object) -> clip.ClipScore:
    return clip.ClipScore(model="ViT-B-32", weights=str(weights))


def by_definition(weights: Path, images: Path) -> dict[str, list[float]]:
    """Hessel et al. 2021, equation 1 and section 3, image by image; the course's without the prefix."""
    import open_clip
    from PIL import Image

    name = f"local-dir:{weights}"
    model, transform = open_clip.create_model_from_pretrained(name)
    tokens = open_clip.get_tokenizer(name)
    scores: dict[str, list[float]] = {"CLIPScore": [], "RefCLIPScore": [], "CLIPScore-course": []}
    with torch.no_grad():
        for row in ROWS:
            image = model.encode_image(transform(Image.open(images / row.file_name).convert("RGB"))[None])
            text, bare, *others = (model.encode_text(tokens([words])) for words in (
                f"A photo depicts {row.caption}", row.caption,
                *(f"A photo depicts {reference}" for reference in row.references)))
            score = 2.5 * max(F.cosine_similarity(image, text).item(), 0)
            best = max(max(F.cosine_similarity(text, other).item() for other in others), 0)
            scores["CLIPScore"].append(score)
            scores["RefCLIPScore"].append(2 * score * best / (score + best) if score + best else 0)
            scores["CLIPScore-course"].append(2.5 * max(F.cosine_similarity(image, bare).item(), 0))
    return scores


def test_scores_are_the_published_ones(weights: Path, images: Path, tmp_path: Path) -> None:
    found = clip.measure(ROWS, images, settings(weights), SETTINGS, tmp_path / "cache")
    expected = by_definition(weights, images)
    assert max(map(max, expected.values())) > 0, "a CLIP whose scores are all 0 tests nothing"
    for name, scores in expected.items():
        np.testing.assert_allclose(found.per_image[name], scores, rtol=0, atol=1e-5)
        assert found.metrics[name]["value"] == pytest.approx(np.mean(scores), abs=1e-5)
        assert found.metrics[name]["low"] <= found.metrics[name]["value"] <= found.metrics[name]["high"]
    assert found.signature["model"] == "tiny-clip"
    assert len(found.signature["weights"]) == 64
    assert found == clip.measure(ROWS, images, settings(weights), SETTINGS, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2  # images and references, once for all methods


def test_wrong_weights_are_named(weights: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    (tmp_path / "empty").mkdir()
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    for choice, message in [
        ("broken.pt", r"broken\.pt: cannot be read as weights of ViT-B-32"),
        ("other.pt", r"other\.pt: cannot be read as weights of ViT-B-32"),
        ("empty", r"empty: has no open_clip_config\.json; expected open_clip_config\.json and"),
        ("missing.pt", r"no such file or folder, and ViT-B-32 has no weights .*missing\.pt'; choose one of"),
    ]:
        with pytest.raises(InputError, match=message):
            clip.measure(ROWS, images, settings(tmp_path / choice), SETTINGS, tmp_path)
    with pytest.raises(InputError, match=r"no model 'ViT-B-23' \(did you mean 'ViT-B-32'\?\)"):
        clip.measure(ROWS, images, clip.ClipScore(model="ViT-B-23", weights="openai"), SETTINGS, tmp_path)
    (images / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: no such image; CLIPScore needs the image"):
        clip.measure(ROWS, images, settings(weights), SETTINGS, tmp_path)
    (images / "b.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"b\.png: cannot be read as an image"):
        clip.measure(ROWS, images, settings(weights), SETTINGS, tmp_path)


def test_weights_that_cannot_be_fetched_are_a_reason(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip

    def fails(*_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(open_clip, "create_model_from_pretrained", fails)
    found = clip.measure(ROWS, images, settings("openai"), SETTINGS, tmp_path)
    assert found.signature == {"not_computed": "the weights 'openai' of ViT-B-32 could not be fetched; set "
                                               "clipscore.weights to a file"}


def test_the_command_prints_the_line_of_the_course(
    weights: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = read(ROOT / "params.yaml")
    params["evaluate"] |= {"bootstrap_samples": 100}
    params["clipscore"] |= {"weights": str(weights)}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    write_json(tmp_path / "p.json", {Path(row.file_name).stem: row.caption for row in ROWS})
    write_json(tmp_path / "val.json", {
        "images": [{"id": row.image_id, "file_name": row.file_name} for row in ROWS],
        "annotations": [{"id": i, "image_id": row.image_id, "caption": row.references[0]}
                        for i, row in enumerate(ROWS)]})
    given = ("score", tmp_path / "p.json", tmp_path / "val.json", "--root", tmp_path)
    assert vltune(*given, "--images", images) == (0, "")
    written = capsys.readouterr()
    scores = json.loads(written.out)
    cider, course = (scores["metrics"][name]["value"] for name in ("CIDEr", "CLIPScore-course"))
    assert written.err.splitlines()[0] == f"CIDEr: {cider} | CLIPScore: {course}"
    assert course == pytest.approx(np.mean(by_definition(weights, images)["CLIPScore-course"]), abs=1e-5)
    assert vltune(*given, tmp_path / "out.json") == (0, "")
    assert capsys.readouterr().out.splitlines() == [
        f"CIDEr: {cider} | CLIPScore: not computed",
        "(no CLIPScore: it needs the images; give their folder with --images)"]
    assert read_json(tmp_path / "out.json")["clipscore"]["not_computed"].startswith("it needs the images")
