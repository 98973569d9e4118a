"""A user's own captions and questions in CSV, JSON lines or COCO JSON, with or without a split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import datasets as sets
from datasets import asked, convert, source_of, texts
from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question
from vltune.pipeline.records import SPLITS

CAPTIONS = "image,caption\n" + "".join(
    f'{i}.png,"a cat, number {i}"\n{i}.png,  one  cat\n' for i in range(20))
QUESTIONS = "image,question,answer\n" + "".join(
    f"{i}.png,what is it?,cat\n{i}.png,how many?,{i}\n" for i in range(20))
SPLIT = "image,split,caption\n0.png,train,a\n1.png,validation,b\n2.png,test,c\n"


def test_captions_in_csv_are_split_by_a_hash(tmp_path: Path) -> None:
    sets.table(tmp_path / "own", CAPTIONS)
    convert("folder", tmp_path / "own", tmp_path / "raw")
    found = {split: texts(tmp_path / "raw", split) for split in SPLITS}
    assert sorted(name for split in SPLITS for name in found[split]) == sorted(f"{i}.png" for i in range(20))
    assert all(found.values())
    first = next(iter(found["test"]))
    assert found["test"][first] == [f"a cat, number {first[:-4]}", "one cat"]
    assert (tmp_path / "raw/images/test" / first).is_file()
    lines = CAPTIONS.splitlines()
    sets.write(tmp_path / "own/captions.csv", "\n".join([lines[0], *reversed(lines[1:])]))
    convert("folder", tmp_path / "own", tmp_path / "again")
    assert {split: {*texts(tmp_path / "again", split)} for split in SPLITS} == {
        split: {*found[split]} for split in SPLITS}, "the order of rows must not matter"


def test_the_split_of_a_column(tmp_path: Path) -> None:
    sets.table(tmp_path / "own", SPLIT, "image,question,answer\n2.png,who?,nobody\n")
    convert("folder", tmp_path / "own", tmp_path / "raw")
    assert [texts(tmp_path / "raw", split) for split in SPLITS] == [
        {"0.png": ["a"]}, {"1.png": ["b"]}, {"2.png": ["c"]}]
    assert [question.answers for question in asked(tmp_path / "raw", "test")] == [["nobody"]]


def test_questions_alone_in_csv(tmp_path: Path) -> None:
    sets.table(tmp_path / "own", questions=QUESTIONS + "3.png,what is it?,a cat\n")
    convert("folder", tmp_path / "own", tmp_path / "raw")
    everything = [question for split in SPLITS for question in asked(tmp_path / "raw", split)]
    questions = {question.image_id: question for question in everything if "what" in question.question}
    assert len(questions) == 20
    assert questions["3.png"] == Question(6, "3.png", "what is it?", "what is", "other", ["cat", "a cat"])
    assert questions["4.png"].answers == ["cat"]
    assert all(captions == [] for split in SPLITS for captions in texts(tmp_path / "raw", split).values())
    assert source_of(tmp_path / "raw")["questions"]["test"]["what is"]["most_frequent"] == "cat"


def test_json_lines(tmp_path: Path) -> None:
    sets.table(tmp_path / "own")
    rows = [{"image": f"{i}.png", "split": split, "caption": ["a", "b"]} for i, split in enumerate(SPLITS)]
    sets.write(tmp_path / "own/captions.jsonl", "\n".join(map(json.dumps, rows)))
    rows = [{"image": "2.png", "question": "how many?", "answer": 2},
            {"image": "2.png", "question": "is it?", "answer": ["yes", "no"], "question_type": "is"}]
    sets.write(tmp_path / "own/questions.jsonl", "\n\n".join(map(json.dumps, rows)))
    convert("folder", tmp_path / "own", tmp_path / "raw")
    assert texts(tmp_path / "raw", "val") == {"1.png": ["a", "b"]}
    assert asked(tmp_path / "raw", "test") == [
        Question(0, "2.png", "how many?", "how many", "number", ["2"]),
        Question(1, "2.png", "is it?", "is", "yes/no", ["yes", "no"])]


@pytest.mark.parametrize("given", [True, False])
def test_one_file_in_coco_form(tmp_path: Path, given: bool) -> None:
    sets.table(tmp_path / "own")
    images = [
        {"id": i, "file_name": f"{i}.png", "split": SPLITS[i % 3] if given else None} for i in range(20)]
    sets.write(tmp_path / "own/captions.json", {
        "images": images, "annotations": [{"image_id": i, "caption": f"text {i}"} for i in range(20)]})
    convert("folder", tmp_path / "own", tmp_path / "raw")
    found = {split: texts(tmp_path / "raw", split) for split in SPLITS}
    assert sum(map(len, found.values())) == 20
    if given:
        assert found["val"]["4.png"] == ["text 4"]
        assert [len(found[split]) for split in SPLITS] == [7, 7, 6]


def test_questions_of_an_image_in_two_splits(tmp_path: Path) -> None:
    rows = [f"0.png,what is {i}?,cat,{split}" for i, split in enumerate(SPLITS)]
    sets.table(tmp_path / "own", questions="\n".join(["image,question,answer,split", *rows]))
    with pytest.raises(InputError, match=r"image '0\.png' is in train and in val"):
        convert("folder", tmp_path / "own", tmp_path / "raw")
    convert("folder", tmp_path / "own", tmp_path / "raw", shared_images=True)
    assert [[question.question for question in asked(tmp_path / "raw", split)] for split in SPLITS] == [
        ["what is 0?"], ["what is 1?"], ["what is 2?"]]
    assert source_of(tmp_path / "raw")["shared_images"] == {"train+val+test": 1}


@pytest.mark.parametrize(("captions", "message"), [
    ("image;caption\n0.png;a\n", r"has no column 'image'; its columns are image;caption; .*commas"),
    ("image,caption\n0.png,a cat, big\n", "line 2: expected 2 cells; put a text with commas in quotes"),
    ("image,caption\n0.png\n", "line 2: expected 2 cells"),
    ("image,caption\n0.png,\n", "line 2 has no 'caption'; expected image, caption"),
    ("image,caption\n0.png,  \n", "line 2 has an empty caption"),
    ('image,caption\n0.png,"a cat\n', "line 1: not valid CSV: unexpected end"),
    ("image,caption\ngone.png,a\n", r"gone\.png: no such image"),
    ("image,caption\n../0.png,a\n", r"file name '\.\./0\.png' .*leads out of the folder"),
    (f"image,caption\n{'x' * 300}.png,a\n", "cannot be put into .*File name too long"),
    ("image,caption,split\n0.png,a,training\n", "line 2 has split 'training', expected one of train, val"),
    ("image,caption\n0.png,a\n", r"has no image in (train|val) and (val|test); .*fetch\.val_share"),
    ("", r"captions\.csv: has no column 'image'"),
])
def test_wrong_captions_are_named(tmp_path: Path, captions: str, message: str) -> None:
    sets.table(tmp_path / "own", images=1)
    sets.write(tmp_path / "own/captions.csv", captions)
    with pytest.raises(InputError, match=message):
        convert("folder", tmp_path / "own", tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(("questions", "message"), [
    ("[1]", r"questions\.jsonl: line 1: expected an object"),
    ('{"image": "0.png"', r"line 1: not valid JSON"),
    ('{"image": "0.png", "question": "what?", "answer": []}', "line 1 has an empty list of answers"),
    ('{"image": "0.png", "question": "what?", "answer": 1.5}', r"has the answer 1\.5, expected a text"),
    ('{"image": 3, "question": "what?", "answer": "x"}', "line 1 has the file name 3"),
    ('{"image": "0.png", "question": "what?", "answer": "x", "answer_type": "word"}',
     "has answer_type 'word'"),
    ('{"image": "0.png", "question": "\\ud800", "answer": "x"}', "holds half of a surrogate pair"),
])
def test_wrong_questions_are_named(tmp_path: Path, questions: str, message: str) -> None:
    sets.table(tmp_path / "own", images=1)
    sets.write(tmp_path / "own/questions.jsonl", questions)
    with pytest.raises(InputError, match=message):
        convert("folder", tmp_path / "own", tmp_path / "raw")


def test_two_forms_of_captions_and_none(tmp_path: Path) -> None:
    sets.table(tmp_path / "own", CAPTIONS)
    sets.write(tmp_path / "own/captions.jsonl", "{}")
    with pytest.raises(InputError, match=r"captions\.csv and captions\.jsonl are there, expected one"):
        convert("folder", tmp_path / "own", tmp_path / "raw")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected captions_train\.json or questions_train\.json"):
        convert("folder", tmp_path / "empty", tmp_path / "raw")
