"""Caption metrics against pycocoevalcap's own classes, through the stage, with the Java of the wheel
alone."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from vltune.comparison import per_image
from vltune.metrics import bootstrap, java, tokenize
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.caption_metrics import bleu, meteor

ROOT = Path(__file__).resolve().parents[2]
EMPTY = (2, 23)  # rows without a caption: inside and at the end, where the wrapper's own tokeniser loses one


def sentence(source: random.Random) -> str:
    words = [
        ["A", "The", "One"],
        ["dog", "cat", "man's bird", "T-shirt"],
        ["runs", "is running", "sleeps", "didn't sit"],
        ["on", "near", "over"],
        ["a", "the"],
        ["sofa", "couch", "café table", "field"],
    ]
    return " ".join(source.choice(choices) for choices in words) + source.choice([".", "", "!", " (again)."])


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    source = random.Random(0)
    found = []
    for i in range(24):
        references = [sentence(source) for _ in range(5)]
        caption = (
            references[0] if i % 6 == 0 else sentence(source)
        )  # some are perfect: METEOR sums them otherwise
        found.append({"image_id": i, "file_name": f"{i}.png", "caption": "" if i in EMPTY else caption,
                      "references": references})
    return found


@pytest.fixture(scope="module")
def tokenized(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    return tokenize.tokenize([row["caption"] for row in rows]), [
        tokenize.tokenize(row["references"]) for row in rows
    ]


@pytest.fixture(scope="module")
def project(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    files = {
        "data/predictions/caption-lora-0.json": rows,
        "data/raw/captions_train.json": {
            "images": [{"id": 99, "file_name": "99.png"}],
            "annotations": [{"id": 1, "image_id": 99, "caption": rows[1]["caption"].upper()}]},
        "models/lora/caption-0/checkpoint.json": {
            "trained_parameters": 5, "trained_share": 0.1, "projector_parameters": 7, "checkpoint_bytes": 9},
    }
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


def evaluate(folder: Path, **environment: str) -> bytes:
    """Run the stage; PATH names no program at all."""
    subprocess.run(
        [sys.executable, ROOT / "stages/evaluate.py", "--method", "lora", "--task", "caption", "--seed", "0"],
        cwd=folder,
        check=True,
        env=os.environ | {"PATH": "/nowhere"} | environment,
    )
    return (folder / "data/results/lora/caption-0.json").read_bytes()


@pytest.fixture(scope="module")
def written(project: Path) -> bytes:
    return evaluate(project)


@pytest.fixture
def java_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """pycocoevalcap calls `java` by its name."""
    monkeypatch.setenv("PATH", str(java.JAVA.parent), prepend=os.pathsep)


@pytest.mark.usefixtures("java_by_name")
def test_tokens_equal_those_of_the_wrapper() -> None:
    texts = [
        "A dog's T-shirt (red), isn't it?",
        "It costs $3.50 -- or 1/2; “quoted” `so'...",
        "naïve café, 犬 and 🐕!",
        "...",
        "The end of the U.S.",
        "e.g. a man-made\nlake :-)",
        "[brackets] {braces} <tags>",
        "a dog ||| a cat",
        "'",
        "A\tB  C",
    ]
    expected = PTBTokenizer().tokenize({i: [{"caption": text}] for i, text in enumerate(texts)})
    assert tokenize.tokenize(texts) == [expected[i][0] for i in range(len(texts))]


def test_no_separator_inside_a_caption_shifts_the_next() -> None:
    for separator in "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
        assert tokenize.tokenize([f"a{separator}dog", "", "A cat."]) == ["a dog", "", "a cat"]


@pytest.mark.usefixtures("java_by_name")
def test_metrics_equal_those_of_the_wrapper(
    written: bytes, tokenized: tuple[list[str], list[list[str]]]
) -> None:
    found = json.loads(written)
    said, expected = {i: [text] for i, text in enumerate(tokenized[0])}, dict(enumerate(tokenized[1]))
    official = Meteor()
    meteor_value, meteor_scores = official.compute_score(expected, said)
    for pipe in (official.meteor_p.stdout, official.meteor_p.stderr):
        pipe.close()
    values = {"METEOR": meteor_value, "CIDEr": Cider().compute_score(expected, said)[0],
              "ROUGE-L": Rouge().compute_score(expected, said)[0]}
    values |= {f"BLEU-{i + 1}": x for i, x in enumerate(Bleu(4).compute_score(expected, said, verbose=0)[0])}
    assert {name: row["value"] for name, row in found["metrics"].items()} == pytest.approx(values, abs=1e-9)
    rows = np.array(bootstrap.unpack(found["per_image"]["METEOR"]), dtype=float)
    assert meteor.value(rows)[:, 0].tolist() == pytest.approx(meteor_scores, abs=1e-9)
    assert found["per_image"]["CIDEr"] == pytest.approx(Cider().compute_score(expected, said)[1], abs=1e-9)


def test_bleu_from_statistics_equals_the_wrapper(tokenized: tuple[list[str], list[list[str]]]) -> None:
    counts = bleu.statistics(*tokenized)
    for chosen in (range(24), [0], list(EMPTY), [3, 5, 5, 7]):
        said = {i: [tokenized[0][row]] for i, row in enumerate(chosen)}
        expected = {i: tokenized[1][row] for i, row in enumerate(chosen)}
        official, _ = Bleu(4).compute_score(expected, said, verbose=0)
        np.testing.assert_allclose(bleu.value(counts[list(chosen)].sum(0)), official, rtol=1e-12, atol=1e-15)


def test_meteor_from_statistics_equals_the_program(tokenized: tuple[list[str], list[list[str]]]) -> None:
    value, scores, statistics = meteor.score(*tokenized)
    assert float(meteor.value(statistics.sum(0))[0]) == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(meteor.value(statistics)[:, 0], scores, atol=1e-9)
    assert (scores == 1).sum() >= 2, "some segments are perfect"
    assert scores[list(EMPTY)].tolist() == [0, 0]


def test_the_results_file(written: bytes) -> None:
    found = json.loads(written)
    assert list(found) == [
        "task",
        "method",
        "seed",
        "metrics",
        "diversity",
        "controls",
        "trained_parameters",
        "trained_share",
        "projector_parameters",
        "checkpoint_bytes",
        "budget",
        "audit",
        "projector",
        "per_image",
        "signature",
    ]
    assert list(found["metrics"]) == ["CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L"]
    assert all(row["low"] < row["value"] < row["high"] for row in found["metrics"].values())
    assert found["controls"]["other_image"]["CIDEr"]["high"] < found["metrics"]["CIDEr"]["low"]
    assert found["per_image"]["images"] == list(range(24))
    assert {name: len(column) for name, column in found["per_image"].items()} == dict.fromkeys(
        ["images", "CIDEr", "ROUGE-L", "BLEU", "METEOR"], 24)
    settings = Evaluate.model_validate(found["signature"]["evaluate"])
    for name, row in found["metrics"].items():
        one = per_image.estimates(name, {"it": [found["per_image"]]}, settings)["it"]
        assert one.mean == pytest.approx(row["value"], abs=1e-9)
        # the jackknife with Student's t, and the percentile bootstrap, of 24 images
        assert one.high - one.low == pytest.approx(row["high"] - row["low"], rel=0.35)
    assert found["diversity"]["novel_share"] == pytest.approx(
        21 / 24
    )  # all but the two empty and the one of train
    assert found["signature"]["images"] == 24


def test_a_second_run_in_another_locale_is_equal_bit_for_bit(written: bytes, project: Path) -> None:
    assert (
        evaluate(project, LC_ALL="de_DE.UTF-8", PYTHONHASHSEED="7", JAVA_TOOL_OPTIONS="-Duser.language=de")
        == written
    )
