"""Memory and time of `fetch` on files as large as COCO's and VQAv2's.

Run: python benchmarks/large_data.py. It writes captions_train2017.json and captions_val2017.json (118,287 and
5,000 images, five captions each) and the four files of VQAv2 (443,757 and 214,354 questions, ten answers
each) into a temporary folder, with made-up texts of the usual length and empty files as images, reads them as
`fetch` does, and compares with parsing the largest file at once. `--share 0.1` makes all a tenth as large.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from usage import usage

from vltune.pipeline.files import read_json
from vltune.pipeline.questions import read_questions
from vltune.pipeline.records import SPLITS, read_captions
from vltune.pipeline.rows import write_rows
from vltune.sources.readers import coco
from vltune.sources.request import Request
from vltune.sources.rules import Rules

IMAGES = {"train": 118_287, "val": 5_000}
QUESTIONS = {"train": 443_757, "val": 214_354}
RULES = Rules(val_share=0.1, test_share=0.1, max_uncaptioned_share=0.0, shared_images=False)
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "ll", "sted", "rk", "")]


def make(folder: Path, share: float) -> None:
    """Write the files of the data set."""
    rng = random.Random(0)
    images = {}
    for part, count in IMAGES.items():
        first = 0 if part == "train" else 1_000_000
        images[part] = range(first, first + int(share * count))
        (folder / f"{part}2017").mkdir(parents=True)
        for number in images[part]:
            (folder / f"{part}2017/{number:012d}.jpg").touch()
        write_rows(folder / f"annotations/captions_{part}2017.json", {"info": {}}, {
            "images": ({"license": 3, "file_name": f"{number:012d}.jpg", "height": 480, "width": 640,
                        "coco_url": f"http://images.example/{part}2017/{number:012d}.jpg",
                        "date_captured": "2013-11-14 11:18:45", "id": number} for number in images[part]),
            "annotations": ({"image_id": number, "id": 5 * number + n, "caption": text(rng, 10)}
                            for n in range(5) for number in images[part])})
    everything = [*images["train"], *images["val"]]
    for part, count in QUESTIONS.items():
        about = [rng.choice(everything) for _ in range(int(share * count))]
        first = 0 if part == "train" else 10_000_000
        write_rows(folder / f"v2_OpenEnded_mscoco_{part}2014_questions.json", {}, {"questions": (
            {"image_id": image, "question": text(rng, 6) + "?", "question_id": first + i}
            for i, image in enumerate(about))})
        write_rows(folder / f"v2_mscoco_{part}2014_annotations.json", {}, {"annotations": (
            {"question_id": first + i, "image_id": image, "question_type": "what is", "answer_type": "other",
             "multiple_choice_answer": "x", "answers": [
                 {"answer": rng.choice(WORDS), "answer_confidence": "yes", "answer_id": n}
                 for n in range(1, 11)]}
            for i, image in enumerate(about))})


def text(rng: random.Random, words: int) -> str:
    """Make up a sentence."""
    return " ".join(rng.choices(WORDS, k=words))


def read_raw(raw: Path) -> None:
    """Read what `fetch` wrote, a split after the other, as the stages after it do."""
    for name in SPLITS:
        images = {image.id for image in read_captions(raw / f"captions_{name}.json").images}
        read_questions(raw / f"questions_{name}.json", raw / f"answers_{name}.json", images)


def measure(name: str, call: Callable[..., Any], *arguments: Any) -> None:
    """Run a function in a process of its own; print its seconds and its peak of memory."""
    seconds, before, peak = usage(name, call, *arguments)
    print(f"{name}: {seconds:.0f} s, {peak:.0f} MB at most, {before:.0f} MB of them before the first row")


def sizes(folder: Path) -> Iterator[str]:
    """Say how large the files are."""
    for file in sorted(folder.rglob("*.json")):
        yield f"{file.name} {file.stat().st_size / 1e6:.0f} MB"


def main() -> None:
    """Make, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="size, as a share of COCO's (default 1)")
    share = parser.parse_args().share
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        source, raw = Path(scratch) / "coco", Path(scratch) / "raw"
        make(source, share)
        print("; ".join(sizes(source)))
        request = Request("coco", str(source), raw, Path(scratch), None, RULES)
        measure("fetch, row by row", coco.read, request)
        measure("data/raw read again, a split after the other", read_raw, raw)
        measure("for comparison: the largest file parsed at once", read_json,
                source / "v2_mscoco_train2014_annotations.json")
        print(json.loads((raw / "SOURCE.json").read_text())["images"])


if __name__ == "__main__":
    main()
