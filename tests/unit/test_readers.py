"""Data sets that lie somewhere become data/raw; what is wrong with them is named by file and row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from vltune.data import folder, hw3, karpathy
from vltune.errors import InputError
from vltune.params import check
from vltune.records import SPLITS, read_captions
from vltune.sources.fetching import Fetch, fetch


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("RGB", (8, 8), (len(str(path)) % 256, 0, 0)).save(path)


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def coco(names: list[str], first: int = 0) -> dict[str, Any]:
    return {"images": [{"id": first + i, "file_name": name} for i, name in enumerate(names)],
            "annotations": [{"id": 10 * first + i, "image_id": first + i // 2, "caption": f"caption {i} of {names[i // 2]}"}
                            for i in range(2 * len(names))]}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two images a split."""
    source = tmp_path / "own"
    for i, split in enumerate(SPLITS):
        names = [f"{split}{n}.jpg" for n in range(2)]
        for name in names:
            picture(source / "images" / split / name)
        write(source / f"captions_{split}.json", coco(names, 2 * i))
    return source


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The course's layout with nine images in val."""
    source = tmp_path / "hw3_data"
    for split, count in (("train", 3), ("val", 9)):
        names = [f"{split}-{n}.jpg" for n in range(count)]
        for name in names:
            picture(source / "images" / split / name)
        write(source / f"{split}.json", coco(names))
    return source


@pytest.fixture
def mscoco(tmp_path: Path) -> Path:
    """Four images in Karpathy's format, in COCO's folders."""
    source = tmp_path / "coco"
    rows = []
    for i, split in enumerate(("train", "restval", "val", "test")):
        place, name = ("train2014" if split == "train" else "val2014"), f"COCO_{i:012d}.jpg"
        picture(source / place / name)
        rows.append({"filepath": place, "filename": name, "split": split, "imgid": i, "cocoid": 7 * i, "sentids": [i],
                     "sentences": [{"raw": f"A  thing\n{i}.", "tokens": ["a", "thing"], "sentid": i, "imgid": i}]})
    write(source / "dataset_coco.json", {"dataset": "coco", "images": rows})
    return source


def test_a_folder_of_ones_own(own: Path, tmp_path: Path) -> None:
    folder.convert(own, tmp_path / "raw")
    for split in SPLITS:
        captions = read_captions(tmp_path / f"raw/captions_{split}.json")
        assert [len(texts) for texts in captions.by_image().values()] == [2, 2]
        assert all((tmp_path / "raw/images" / split / image.file_name).is_file() for image in captions.images)
    assert json.loads((tmp_path / "raw/SOURCE.json").read_text())["images"] == {"train": 2, "val": 2, "test": 2}


def test_the_course(course: Path, tmp_path: Path) -> None:
    hw3.convert(course, tmp_path / "raw")
    found = {split: {image.file_name for image in read_captions(tmp_path / f"raw/captions_{split}.json").images} for split in SPLITS}
    assert len(found["train"]) == 3
    assert len(found["val"] | found["test"]) == 9
    assert found["val"]
    assert found["test"]
    assert not found["val"] & found["test"]


def test_karpathy_splits_of_coco(mscoco: Path, tmp_path: Path) -> None:
    karpathy.convert("coco", mscoco, tmp_path / "raw")
    train = read_captions(tmp_path / "raw/captions_train.json")
    assert [image.file_name for image in train.images] == ["COCO_000000000000.jpg", "COCO_000000000001.jpg"]
    assert train.captions[0].caption == "A thing 0."
    assert len(read_captions(tmp_path / "raw/captions_test.json").images) == 1


def test_karpathy_splits_of_flickr30k(tmp_path: Path) -> None:
    rows = []
    for i, split in enumerate(SPLITS):
        picture(tmp_path / f"flickr/images/{i}.jpg")
        rows.append({"filename": f"{i}.jpg", "split": split, "sentences": [{"raw": f"Two of {i}"}, {"raw": "Men."}]})
    write(tmp_path / "flickr/dataset_flickr30k.json", {"images": rows})
    karpathy.convert("flickr30k", tmp_path / "flickr", tmp_path / "raw")
    assert read_captions(tmp_path / "raw/captions_val.json").by_image() == {1: ["Two of 1", "Men."]}


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c["annotations"][1].update(image_id=77), r"captions_val\.json: annotations\[1\] \(id 21\) is for image 77, which is not"),
    (lambda c: c["annotations"][3].update(caption=" \n"), r"captions_val\.json: annotations\[3\] \(id 23, image 3\) has an empty caption"),
    (lambda c: c["annotations"][0].update(caption=5), r"captions_val\.json: annotations\[0\] \(id 20, image 2\) has an empty caption"),
    (lambda c: c["annotations"][0].pop("image_id"), r"annotations\[0\] has no 'image_id'; it has id, caption"),
    (lambda c: c["images"][1].update(id=2), r"id 2 stands 2 times in images"),
    (lambda c: c.pop("annotations"), r"expected COCO caption format, an object with 'images' and 'annotations'"),
    (lambda c: c["images"].append({"id": 9, "file_name": "bare.jpg"}), r"1 images have no caption, the first is bare\.jpg"),
    (lambda c: c["images"][0].update(id=0) or c["annotations"][0].update(image_id=0) or c["annotations"][1].update(image_id=0),
     r"captions_val\.json: image 0 is in train too; splits must not share images"),
    (lambda c: c["images"][0].update(file_name="gone.jpg"), r"val/gone\.jpg: no such image, but there are captions for it \(image id 2\)"),
])
def test_wrong_captions_are_named_and_the_old_data_stays(own: Path, tmp_path: Path, change, message: str) -> None:
    folder.convert(own, tmp_path / "raw")
    before = sorted(tmp_path.joinpath("raw").rglob("*"))
    changed(own / "captions_val.json", change)
    with pytest.raises(InputError, match=message):
        folder.convert(own, tmp_path / "raw")
    assert sorted(tmp_path.joinpath("raw").rglob("*")) == before


def test_broken_and_missing_files_are_named(own: Path, tmp_path: Path) -> None:
    (own / "captions_test.json").write_text('{"images": [}')
    with pytest.raises(InputError, match=r"captions_test\.json: not valid JSON at line 1, column 13"):
        folder.convert(own, tmp_path / "raw")
    (own / "captions_test.json").unlink()
    with pytest.raises(InputError, match=r"captions_test\.json: no such file"):
        folder.convert(own, tmp_path / "raw")


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c["images"][2].update(split="dev"), r"dataset_coco\.json: images\[2\] has split 'dev', expected one of train, restval"),
    (lambda c: c["images"][1].update(sentences=[{"raw": " "}]), r"images\[1\] \(COCO_000000000001\.jpg\) has no caption"),
    (lambda c: c["images"][0]["sentences"][0].pop("raw"), r"images\[0\]\.sentences\[0\] has no 'raw'"),
    (lambda c: c["images"][3].update(filename="x.jpg"), r"val2014/x\.jpg: no such image, but there are captions for it"),
    (lambda c: c.pop("images"), r"expected Karpathy's format, an object with a list 'images'"),
])
def test_wrong_rows_of_karpathys_file_are_named(mscoco: Path, tmp_path: Path, change, message: str) -> None:
    changed(mscoco / "dataset_coco.json", change)
    with pytest.raises(InputError, match=message):
        karpathy.convert("coco", mscoco, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_captions_of_the_course_for_images_that_are_not_there(course: Path, tmp_path: Path) -> None:
    (course / "images/val/val-4.jpg").unlink()
    with pytest.raises(InputError, match=r"images/val/val-4\.jpg: no such image, but there are captions for it"):
        hw3.convert(course, tmp_path / "raw")


def test_an_unknown_data_set_and_a_missing_folder_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"dataset": "cocoo", "path": None, "encoder": "tiny", "decoder": "tiny"}
    with pytest.raises(InputError, match=r"'fetch\.dataset' = 'cocoo': input should be 'scenes', 'coco', 'flickr30k', 'hw3' or 'folder'"):
        check(Fetch, "fetch", given, Path("params.yaml"))
    monkeypatch.chdir(tmp_path)
    settings = check(Fetch, "fetch", given | {"dataset": "coco", "path": "nowhere"}, Path("params.yaml"))
    with pytest.raises(InputError, match=r"'fetch\.path' = 'nowhere': expected the folder of the data set 'coco', or the address"):
        fetch(settings, None)
