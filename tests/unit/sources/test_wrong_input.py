"""Whatever stands in a file of a data set: it is read, or refused by an InputError; never another exception.

Every value of a valid file is replaced by wrong ones, or taken away; text files lose and repeat bytes.
A sample of it is tested quickly, everything in the slow tests.
"""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import datasets as sets
from vltune.pipeline.errors import InputError
from vltune.pipeline.records import SPLITS

WRONG = (None, True, 0, -1, 1.5, 10**30, "", " ", "x", "../x", "/", ".", "a\0b", "x" * 5000, "\ud800", [],
         [[]], {}, {"answer": None}, {"\ud800": 1}, [1], ["x"])
QUICK, ALL = 25, 10**9


def karpathy(folder: Path) -> None:
    rows = [
        {"filename": f"{i}.jpg", "filepath": "images", "split": split, "sentences": [{"raw": "a"}],
         "cocoid": i}
        for i, split in enumerate(SPLITS)
    ]
    for row in rows:
        sets.picture(folder / "images" / row["filename"])
    sets.write(folder / "dataset_coco.json", {"images": rows})


def splits(folder: Path) -> None:
    for i, split in enumerate(SPLITS):
        sets.picture(folder / f"images/{split}/{i}.jpg")
        sets.write(folder / f"captions_{split}.json", {
            "images": [{"id": i, "file_name": f"{i}.jpg"}],
            "annotations": [{"id": 0, "image_id": i, "caption": "a"}]})
        sets.write(folder / f"questions_{split}.json", {"questions": [
            {"question_id": i, "image_id": i, "question": "what?"}]})
        sets.write(folder / f"answers_{split}.json", {"annotations": [
            {"question_id": i, "question_type": "what", "answer_type": "other",
             "answers": [{"answer": "a"}]}]})
    sets.write(folder / "SOURCE.json", {"licence": "mine"})


def without_captions(folder: Path) -> None:
    splits(folder)
    for split in SPLITS:
        (folder / f"captions_{split}.json").unlink()


def one_coco_file(folder: Path) -> None:
    for i in range(3):
        sets.picture(folder / f"images/{i}.png")
    images = [{"id": i, "file_name": f"{i}.png", "split": split} for i, split in enumerate(SPLITS)]
    sets.write(folder / "captions.json", {
        "images": images, "annotations": [{"image_id": i, "caption": "a"} for i in range(3)]})


def lines(folder: Path) -> None:
    for i in range(3):
        sets.picture(folder / f"images/{i}.png")
    rows = [{"image": f"{i}.png", "split": split, "question": "what?", "answer": "a", "answer_type": "other"}
            for i, split in enumerate(SPLITS)]
    sets.write(folder / "questions.jsonl", "\n".join(map(json.dumps, rows)))


def csv(folder: Path) -> None:
    rows = "".join(f'{i}.png,{split},"a, b"\n' for i, split in enumerate(SPLITS))
    sets.table(folder, f"image,split,caption\n{rows}", "image,question,answer\n0.png,what?,a\n", images=3)


def course(folder: Path) -> None:
    for part, count in (("train", 1), ("val", 9)):
        for i in range(count):
            sets.picture(folder / f"images/{part}/{i}.jpg")
        sets.write(folder / f"{part}.json", {
            "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(count)],
            "annotations": [{"image_id": i, "caption": "a"} for i in range(count)]})


def official(folder: Path) -> None:
    sets.official_coco(folder, "2017", train=4, val=1)


def daquar(folder: Path) -> None:
    sets.original_daquar(folder, images=3)


# By name: the data set, what writes a valid one, the file that is changed.
JSON = {
    "karpathy": ("coco", karpathy, "dataset_coco.json"),
    "official": ("coco", official, "annotations/captions_val2017.json"),
    "captions": ("folder", splits, "captions_val.json"),
    "questions": ("folder", splits, "questions_val.json"),
    "answers": ("folder", splits, "answers_val.json"), "source": ("folder", splits, "SOURCE.json"),
    "questions alone": ("daquar", without_captions, "questions_val.json"),
    "one file": ("folder", one_coco_file, "captions.json"), "course": ("hw3", course, "val.json"),
}
TEXT = {
    "tokens": ("flickr8k", sets.original_flickr8k, "Flickr8k.token.txt"),
    "list": ("flickr8k", sets.original_flickr8k, "Flickr_8k.devImages.txt"),
    "pairs": ("daquar", daquar, "qa.894.raw.test.txt"), "csv": ("folder", csv, "captions.csv"),
    "csv of questions": ("folder", csv, "questions.csv"), "lines": ("folder", lines, "questions.jsonl"),
    "json": ("folder", splits, "captions_val.json"),
}


def positions(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Every place in a JSON value, as the keys that lead there."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from positions(value[key], (*path, key))


def changed(content: Any, path: tuple, wrong: Any, remove: bool) -> Any:
    """The content with another value at a place, or without the place."""
    if not path:
        return wrong
    result = copy.deepcopy(content)
    holder = result
    for key in path[:-1]:
        holder = holder[key]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = wrong
    return result


def garbled(text: bytes, rng: random.Random) -> bytes:
    """The text with some bytes lost, repeated or replaced."""
    start = rng.randrange(len(text))
    end = min(len(text), start + rng.choice((1, 1, 5, 50)))
    insert = rng.choice((b"", b"", b"\xff", b"\0", b"\n", b"\t", b'"', b",", b"#", b"{", text[start:end] * 3))
    return text[:start] + insert + text[end:]


def refused(
    dataset: str, make: Callable[[Path], None], name: str, contents: list[bytes], scratch: Path
) -> int:
    """Read the data set with each content of the file; count how often it is refused."""
    source, count = scratch / "source", 0
    make(source)
    for content in contents:
        (source / name).write_bytes(content)
        try:
            sets.convert(dataset, source, scratch / "raw")
        except InputError:
            count += 1
        shutil.rmtree(scratch / "raw", ignore_errors=True)
        assert not [*scratch.glob(".raw*")]
    return count


def wrong_json(make: Callable[[Path], None], name: str, scratch: Path) -> list[bytes]:
    """Every change of every place."""
    make(scratch / "valid")
    content = json.loads((scratch / "valid" / name).read_text())
    cases = [(path, wrong, False) for path in positions(content) for wrong in WRONG]
    cases += [(path, None, True) for path in positions(content) if path]
    return [json.dumps(changed(content, *case)).encode() for case in cases]


@pytest.mark.parametrize("limit", [QUICK, pytest.param(ALL, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", JSON)
def test_a_wrong_value_in_json_is_refused_or_read(case: str, limit: int, tmp_path: Path) -> None:
    dataset, make, name = JSON[case]
    contents = wrong_json(make, name, tmp_path)
    picked = random.Random(0).sample(contents, min(limit, len(contents)))
    assert refused(dataset, make, name, picked, tmp_path) > 0 or case == "source"


@pytest.mark.parametrize("count", [QUICK, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", TEXT)
def test_garbled_text_is_refused_or_read(case: str, count: int, tmp_path: Path) -> None:
    dataset, make, name = TEXT[case]
    make(tmp_path / "valid")
    text, rng = (tmp_path / "valid" / name).read_bytes(), random.Random(0)
    contents = [garbled(text, rng) for _ in range(count)]
    assert refused(dataset, make, name, contents, tmp_path) > 0
