"""Data sets in the forms of their authors: COCO's official files, Flickr8k's lists, DAQUAR's text files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import datasets as sets
from datasets import asked, convert, source_of, texts
from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question
from vltune.pipeline.records import SPLITS


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_official_coco(year: str, tmp_path: Path) -> None:
    sets.official_coco(tmp_path / "coco", year)
    convert("coco", tmp_path / "coco", tmp_path / "raw")
    found = {split: texts(tmp_path / "raw", split) for split in SPLITS}
    assert [*found["test"]] == [900, 901, 902], "the official val is test"
    assert found["test"][901] == ["Text 0 of 901.", "Text 1 of 901."]
    assert sorted([*found["train"], *found["val"]]) == [*range(100, 130)]
    assert 3 <= len(found["val"]) <= 15, "about val_share of the official train"
    assert all((tmp_path / "raw/images/val" / f"{image:012d}.jpg").is_file() for image in found["val"])


def test_the_split_of_official_coco_does_not_depend_on_other_images(tmp_path: Path) -> None:
    for count in (10, 30):
        sets.official_coco(tmp_path / f"{count}", "2017", train=count)
        convert("coco", tmp_path / f"{count}", tmp_path / f"raw{count}")
    few, many = ({*texts(tmp_path / f"raw{count}", "val")} for count in (10, 30))
    assert few == {image for image in many if image < 110}


def test_questions_of_vqav2_about_official_coco(tmp_path: Path) -> None:
    source = tmp_path / "coco"
    sets.official_coco(source, "2017")
    for part, image in (("train2014", 100), ("val2014", 900)):
        question = {"question_id": image, "image_id": image, "question": "What is it?"}
        answer = {"question_id": image, "question_type": "what is", "answer_type": "other",
                  "answers": [{"answer": "a cat"}] * 10}
        sets.write(source / f"v2_OpenEnded_mscoco_{part}_questions.json", {"questions": [question]})
        sets.write(source / f"v2_mscoco_{part}_annotations.json", {"annotations": [answer]})
    convert("coco", source, tmp_path / "raw")
    assert [question.image_id for question in asked(tmp_path / "raw", "test")] == [900]
    assert [q.image_id for split in ("train", "val") for q in asked(tmp_path / "raw", split)] == [100]


def test_official_coco_that_is_not_whole_or_of_two_years(tmp_path: Path) -> None:
    sets.official_coco(tmp_path / "coco", "2014")
    (tmp_path / "coco/annotations/captions_val2014.json").rename(tmp_path / "kept.json")
    with pytest.raises(InputError, match=r"expected COCO as dataset_coco\.json .*; none of them is complete"):
        convert("coco", tmp_path / "coco", tmp_path / "raw")
    (tmp_path / "kept.json").rename(tmp_path / "coco/annotations/captions_val2014.json")
    sets.official_coco(tmp_path / "coco", "2017")
    with pytest.raises(InputError, match="both years' files are there"):
        convert("coco", tmp_path / "coco", tmp_path / "raw")


def test_original_flickr8k(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    sets.original_flickr8k(tmp_path / "flickr")
    convert("flickr8k", tmp_path / "flickr", tmp_path / "raw")
    assert texts(tmp_path / "raw", "train") == {
        0: ["a dog runs 0 .", "a dog runs 1 ."], 1: ["b dog runs 0 .", "b dog runs 1 ."]}
    assert [len(texts(tmp_path / "raw", split)) for split in SPLITS] == [2, 1, 1]
    assert (tmp_path / "raw/images/test/d.jpg").is_file()
    assert "Flickr8k: 1 images with captions are in no split, and are left out" in capsys.readouterr().err


@pytest.mark.parametrize(("file", "text", "message"), [
    ("Flickr8k.token.txt", "a.jpg#0 A dog .\n", r"line 1: expected NAME\.jpg#NUMBER, a tab and a caption"),
    ("Flickr8k.token.txt", "\n\na.jpg#0\t\n", r"line 3: expected NAME\.jpg#NUMBER"),
    ("Flickr_8k.devImages.txt", "c.jpg\ngone.jpg\n", r"Images\.txt: line 2: 'gone\.jpg' has no captions, or"),
    ("Flickr_8k.devImages.txt", "c.jpg\nc.jpg\n", r"line 2: 'c\.jpg' has no captions, or stands twice"),
    ("Flickr_8k.devImages.txt", "c.jpg\na.jpg\n", r"line 2: 'a\.jpg' has no captions, or stands twice"),
    ("Flickr_8k.devImages.txt", "", "the data set has no image in val"),
])
def test_wrong_lists_of_flickr8k(tmp_path: Path, file: str, text: str, message: str) -> None:
    sets.original_flickr8k(tmp_path / "flickr")
    sets.write(tmp_path / "flickr" / file, text)
    with pytest.raises(InputError, match=message):
        convert("flickr8k", tmp_path / "flickr", tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_lists_of_flickr8k_that_are_missing(tmp_path: Path) -> None:
    sets.original_flickr8k(tmp_path / "flickr")
    (tmp_path / "flickr/Flickr_8k.devImages.txt").unlink()
    with pytest.raises(InputError, match=r"Flickr_8k\.devImages\.txt: no such file, .*Flickr8k is dataset"):
        convert("flickr8k", tmp_path / "flickr", tmp_path / "raw")


def test_original_daquar(tmp_path: Path) -> None:
    sets.original_daquar(tmp_path / "daquar")
    convert("daquar", tmp_path / "daquar", tmp_path / "raw")
    found = {split: asked(tmp_path / "raw", split) for split in SPLITS}
    assert found["test"][:3] == [
        Question(60, "image500", "what is on the desk?", "what is", "other", ["book, scissor"]),
        Question(61, "image500", "how many chairs are there?", "how many", "number", ["3"]),
        Question(62, "image500", "Is the lamp?", "is the", "yes/no", ["yes"])]
    assert len(found["test"]) == 60
    images = [{question.image_id for question in found[split]} for split in ("train", "val")]
    assert len(images[0] | images[1]) == 20
    assert images[1]
    assert not images[0] & images[1]
    assert texts(tmp_path / "raw", "test")["image500"] == []


@pytest.mark.parametrize(("text", "message"), [
    ("what is on the desk ?\nbook\n", r"line 1: expected a question that ends with its image, .*what is on"),
    ("what is in the image1 ?\n", "line 1: the question has no line with its answer"),
    ("in the image1 ?\nbook\n", "line 1: expected a question that ends with its image"),
    ("what is in the image77 ?\nbook\n", r"image77\.png: no such image"),
])
def test_wrong_lines_of_daquar(tmp_path: Path, text: str, message: str) -> None:
    sets.original_daquar(tmp_path / "daquar")
    sets.write(tmp_path / "daquar/qa.894.raw.test.txt", text)
    with pytest.raises(InputError, match=message):
        convert("daquar", tmp_path / "daquar", tmp_path / "raw")


def questions_alone(folder: Path) -> None:
    """Questions in VQAv2's form about images whose ids are the names of their files; no captions."""
    for i, split in enumerate(SPLITS):
        sets.picture(folder / f"images/{split}/room{i}.jpg")
        sets.write(folder / f"questions_{split}.json", {"questions": [
            {"question_id": i, "image_id": f"room{i}", "question": "what is it?"}]})
        sets.write(folder / f"answers_{split}.json", {"annotations": [
            {"question_id": i, "question_type": "what is", "answer_type": "other",
             "answers": [{"answer": "lamp"}]}]})


@pytest.mark.parametrize("dataset", ["folder", "daquar"])
def test_questions_without_captions(dataset: str, tmp_path: Path) -> None:
    questions_alone(tmp_path / "own")
    convert(dataset, tmp_path / "own", tmp_path / "raw")
    assert [question.image_id for question in asked(tmp_path / "raw", "val")] == ["room1"]
    assert texts(tmp_path / "raw", "val") == {"room1": []}
    (tmp_path / "own/images/val/room1.jpg").unlink()
    with pytest.raises(InputError, match=r"questions_val\.json: 1 of 1 images are not in .*'room1'"):
        convert(dataset, tmp_path / "own", tmp_path / "raw")


def test_splits_that_share_images(tmp_path: Path) -> None:
    questions_alone(tmp_path / "own")
    for name in ("questions", "answers"):
        file = tmp_path / f"own/{name}_test.json"
        file.write_text(file.read_text().replace("room2", "room0"))
    sets.picture(tmp_path / "own/images/test/room0.jpg")
    with pytest.raises(InputError, match="image 'room0' is in train and in test; splits must not share"):
        convert("folder", tmp_path / "own", tmp_path / "raw")
    convert("folder", tmp_path / "own", tmp_path / "raw", shared_images=True)
    assert source_of(tmp_path / "raw")["shared_images"] == {"train+test": 1}


def test_images_without_captions_are_left_out_up_to_a_share(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    source = tmp_path / "coco"
    sets.official_coco(source, "2017", val=10)
    file = source / "annotations/captions_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"] = [row for row in content["annotations"] if row["image_id"] != 903]
    sets.write(file, content)
    with pytest.raises(InputError, match=r"test: 1 of 10 images have no caption, the first is 0+903\.jpg"):
        convert("coco", source, tmp_path / "raw", max_uncaptioned_share=0.09)
    convert("coco", source, tmp_path / "raw", max_uncaptioned_share=0.1)
    assert 903 not in texts(tmp_path / "raw", "test")
    assert not (tmp_path / "raw/images/test/000000000903.jpg").exists()
    assert (source / "val2017/000000000903.jpg").is_file(), "the user's own file stays"
    assert source_of(tmp_path / "raw")["left_out"] == {"train": 0, "val": 0, "test": 1}
    assert "test: 1 images without caption and question are left out" in capsys.readouterr().err
