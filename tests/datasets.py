"""Small data sets in the forms in which they are published, and the reading of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image as Picture

from vltune.pipeline.questions import Question, read_questions
from vltune.pipeline.records import read_captions
from vltune.sources import fetch as fetching
from vltune.sources.request import Request
from vltune.sources.rules import Rules

RULES = {"val_share": 0.3, "test_share": 0.3, "max_uncaptioned_share": 0.0, "shared_images": False}


def convert(dataset: str, source: Path, raw: Path, **rules: Any) -> None:
    """Read a data set as the stage does."""
    request = Request(dataset, str(source), raw, raw.with_name("cache"), None, Rules(**RULES | rules))
    fetching.read(request)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("RGB", (8, 8), (len(str(path)) % 256, 0, 0)).save(path)


def write(path: Path, content: Any) -> None:
    """Write JSON, or a text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def texts(raw: Path, split: str) -> dict[int | str, list[str]]:
    return read_captions(raw / f"captions_{split}.json").by_image()


def asked(raw: Path, split: str) -> list[Question]:
    known = {image.id for image in read_captions(raw / f"captions_{split}.json").images}
    return read_questions(raw / f"questions_{split}.json", raw / f"answers_{split}.json", known)


def source_of(raw: Path) -> dict[str, Any]:
    return json.loads((raw / "SOURCE.json").read_text())


def official_coco(folder: Path, year: str, train: int = 30, val: int = 3) -> None:
    """COCO as it is published: an image's captions are anywhere among the annotations."""
    for part, count, first in (("train", train, 100), ("val", val, 900)):
        images = [{"license": 3, "file_name": f"{first + i:012d}.jpg", "id": first + i} for i in range(count)]
        for image in images:
            picture(folder / f"{part}{year}" / image["file_name"])
        rows = [
            {"image_id": image["id"], "id": 7 * image["id"] + n, "caption": f"Text {n} of\n{image['id']}. "}
            for n in range(2) for image in reversed(images)
        ]
        write(folder / f"annotations/captions_{part}{year}.json",
              {"info": {}, "images": images, "licenses": [], "annotations": rows})


def original_flickr8k(folder: Path) -> None:
    """Flickr8k as its authors published it, with the captions of an image that is in no list."""
    names = {"train": ["a.jpg", "b.jpg"], "dev": ["c.jpg"], "test": ["d.jpg"]}
    captioned = [name for part in names.values() for name in part]
    lines = [f"{name}#{n}\t{name[0]} dog  runs {n} ." for name in captioned for n in range(2)]
    write(folder / "Flickr8k.token.txt", "\n".join([*lines, "left.jpg.1#0\tA dog .", ""]))
    for part, images in names.items():
        write(folder / f"Flickr_8k.{part}Images.txt", "\n".join([*images, ""]))
        for name in images:
            picture(folder / "Flicker8k_Dataset" / name)


def original_daquar(folder: Path, images: int = 20) -> None:
    """DAQUAR as its authors published it: two lines a question, the image at its end."""
    for part, first in (("train", 1), ("test", 500)):
        lines = []
        for i in range(first, first + images):
            picture(folder / f"nyu_depth_images/image{i}.png")
            lines += [f"what is on the desk in the image{i} ?", "book, scissor",
                      f"how many chairs are there in this image{i} ?", "3",
                      f"Is the lamp on image{i}?", "yes"]
        write(folder / f"qa.894.raw.{part}.txt", "\n".join([*lines, ""]))


def table(folder: Path, captions: str = "", questions: str = "", images: int = 20) -> None:
    """A user's images 0.png, 1.png and so on with tables in CSV."""
    for i in range(images):
        picture(folder / f"images/{i}.png")
    for name, text in (("captions", captions), ("questions", questions)):
        if text:
            write(folder / f"{name}.csv", text)
