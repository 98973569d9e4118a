"""The blind rating sheet: which images and captions people rate, in which order, and the key to the letters.

Every method's caption of an image is on the sheet, and one of the image's human references as a control.
Captions of an image that are equal stand on it once, and their rating counts for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_uppercase

from vltune.comparison.choice import trainings
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint, read_json, sha256
from vltune.pipeline.params import PARAMS
from vltune.pipeline.randomness import numpy_generator
from vltune.pipeline.records import Prediction, fields, read_predictions

REFERENCE = "reference"  # the name of the control among the methods
SCALES = ("correctness", "detail")
LOWEST, HIGHEST = 1, 5
PROTOCOL = "precision (here correctness) and recall (here detail) of THumB 1.0, Kasai et al. 2022"


@dataclass(frozen=True)
class Row:
    """A caption to rate: its image, its letter, its text, and the methods that generated it."""

    image_id: int | str
    image: str
    letter: str
    caption: str
    methods: list[str]


@dataclass(frozen=True)
class Key:
    """What a sheet hides: its rows in their order, and the runs whose predictions they are.

    `predictions` holds by method the SHA-256 of its predictions file; `sheet` identifies all of it.
    """

    sheet: str
    protocol: str
    seed: int
    predictions: dict[str, str]
    rows: list[Row]

    def content(self) -> dict:
        """Give what the file of the key holds."""
        return asdict(self)


def read_all(methods: list[str], seed: int, root: Path) -> dict[str, list[Prediction]]:
    """Read the captions that methods generated for the test images, {method: predictions}.

    Raises:
        InputError: a file is missing or of the wrong form, two are about other images, or a method is called
            as the control is.
    """
    if REFERENCE in methods:
        raise InputError(f"a method is called '{REFERENCE}', the name of the human control; rename it")
    if len(methods) >= len(ascii_uppercase):
        raise InputError(f"expected at most {len(ascii_uppercase) - 1} methods, got {len(methods)}")
    predictions: dict[str, list[Prediction]] = {}
    rated = training(root)
    for method in methods:
        path = root / paths.predictions(method, rated, seed)
        if not path.is_file():
            raise InputError(f"{path}: no such file; make it with `dvc repro`, or choose methods by --method")
        predictions[method] = sorted(read_predictions(path), key=lambda row: str(row.image_id))
    first = {row.image_id: row.references for row in predictions[methods[0]]}
    for method, rows in predictions.items():
        if {row.image_id: row.references for row in rows} != first:
            raise InputError(f"the predictions of {methods[0]} and {method} are about other images or have "
                             "other references")
    return predictions


def training(root: Path) -> str:
    """Give the training whose captions are rated: the one of params.yaml, or of captions alone."""
    params = root / PARAMS
    return trainings("caption", params)[0] if params.is_file() else "caption"


def draw(predictions: Mapping[str, list[Prediction]], count: int, seed: int) -> list[Row]:
    """Draw `count` images, a reference of each, and the order of images and letters."""
    rng = numpy_generator(seed, "ratings")
    first = next(iter(predictions.values()))
    rows = []
    for i in rng.choice(len(first), count, replace=False):
        image = first[i]
        texts = {method: " ".join(captions[i].caption.split()) for method, captions in predictions.items()}
        texts[REFERENCE] = " ".join(image.references[rng.integers(len(image.references))].split())
        distinct = list(dict.fromkeys(texts.values()))
        for letter, j in zip(ascii_uppercase, rng.permutation(len(distinct)), strict=False):
            methods = [method for method, text in texts.items() if text == distinct[j]]
            rows.append(Row(image.image_id, image.file_name, letter, distinct[j], methods))
    return rows


def make_key(rows: list[Row], methods: list[str], seed: int, root: Path) -> Key:
    """Build the key of drawn rows; `seed` is that of the trainings."""
    rated = training(root)
    hashes = {method: sha256(root / paths.predictions(method, rated, seed)) for method in methods}
    sheet = fingerprint([hashes, [asdict(row) for row in rows]])
    return Key(sheet, PROTOCOL, seed, hashes, rows)


def read_key(path: Path) -> Key:
    """Read the key of a sheet.

    Raises:
        InputError: it is missing or of the wrong form; names the field.
    """
    content = fields(path, "the whole", 0, read_json(path), tuple(Key.__dataclass_fields__))
    if not isinstance(content["rows"], list) or not content["rows"]:
        raise InputError(f"{path}: expected a list 'rows' that is not empty")
    if not isinstance(content["predictions"], dict):
        raise InputError(f"{path}: expected an object 'predictions', found {content['predictions']!r}")
    rows = [Row(**fields(path, "rows", i, row, tuple(Row.__dataclass_fields__)))
            for i, row in enumerate(content["rows"])]
    return Key(**{**content, "rows": rows})
