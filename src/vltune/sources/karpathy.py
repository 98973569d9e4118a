"""COCO, Flickr30k and Flickr8k in the splits that papers
report: Karpathy's dataset_NAME.json beside the images.

Source: Karpathy and Fei-Fei 2015, Deep Visual-Semantic Alignments; `restval` is part of train, as is the
custom. COCO has questions too if the files of VQAv2 lie in the same folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, replaced, write_json
from vltune.pipeline.questions import Question
from vltune.pipeline.records import SPLITS, Image, fields, repeated
from vltune.sources.split import SplitWriter

NAMES = {"train": "train", "restval": "train", "val": "val", "test": "test"}
LICENCE = (
    "images: the terms of the photographs' owners; captions: CC BY 4.0 (COCO), see the data set's page "
    "(Flickr); "
    "questions: CC BY 4.0 (VQAv2)"
)


Questions = Callable[[Path, dict[int, tuple[str, int | str]]], dict[str, list[Question]]]


def convert(dataset: str, source: Path, folder: Path, read_questions: Questions | None) -> None:
    """Write data/raw from a folder with dataset_NAME.json
    and the images (in `filepath`, in images/, or beside it).

    Args: read_questions, `vqav2.read` if the data set has questions.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    path = source / f"dataset_{dataset}.json"
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise InputError(f"{path}: expected Karpathy's format, an object with a list 'images'")
    counts = dict.fromkeys(SPLITS, 0)
    with replaced(folder) as part:
        splits = {name: SplitWriter(part, name) for name in SPLITS}
        caption_id = 0
        for number, (split, file, references) in enumerate(
            tqdm(_rows(path, content["images"]), dataset, unit="image", mininterval=2)
        ):
            splits[split].take(Image(number, file.name), _found(source, file), references, caption_id)
            caption_id += len(references)
            counts[split] += 1
        if read_questions is not None:
            for name, questions in read_questions(source, _places(path, content["images"])).items():
                splits[name].ask(questions)
        tables = {
            name: split.write(
                {"description": f"{dataset}, Karpathy's split", "license": LICENCE, "split": name}
            )
            for name, split in splits.items()
        }
        write_json(
            part / "SOURCE.json",
            {
                "dataset": dataset, "source": path.name, "licence": LICENCE, "images": counts,
                "questions": tables,
            },
        )


def _rows(path: Path, images: list[Any]) -> Iterator[tuple[str, Path, list[str]]]:
    for i, row in enumerate(images):
        image = fields(path, "images", i, row, ("filename", "split", "sentences"))
        if image["split"] not in NAMES:
            raise InputError(
                f"{path}: images[{i}] has split {image['split']!r}, expected one of {', '.join(NAMES)}"
            )
        sentences = [
            fields(path, f"images[{i}].sentences", j, sentence, ("raw",))["raw"]
            for j, sentence in enumerate(image["sentences"])
        ]
        references = [" ".join(text.split()) for text in sentences if text.strip()]
        if not references:
            raise InputError(f"{path}: images[{i}] ({image['filename']}) has no caption")
        yield NAMES[image["split"]], Path(row.get("filepath", ""), image["filename"]), references


def _places(path: Path, images: list[Any]) -> dict[int, tuple[str, int]]:
    """Give for COCO's id of an image, which VQAv2 uses, the
    split and our id, which is the number of the row."""
    ids = [fields(path, "images", i, row, ("cocoid",))["cocoid"] for i, row in enumerate(images)]
    repeated(path, "images", ids)
    return {
        coco_id: (NAMES[row["split"]], i) for i, (coco_id, row) in enumerate(zip(ids, images, strict=True))
    }


def _found(source: Path, file: Path) -> Path:
    candidates = [source / file, source / "images" / file, source / "images" / file.name, source / file.name]
    return next((path for path in candidates if path.is_file()), candidates[0])
