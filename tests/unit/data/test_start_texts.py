"""What the start of the projector is made of, and what captioning reads, where images lack captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vltune.data import examples
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question, write_questions
from vltune.pipeline.records import Caption, Captions, Image, write_captions

IMAGES = [Image(i, f"{i}.png") for i in range(3)]
QUESTIONS = [
    Question(i, i, "what is it?", "what is", "other", [answer]) for i, answer in enumerate(("cat", "dog"))]


class Letters:
    """A tokenizer of letters."""

    end = 0

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]


def written(folder: Path, captions: list[Caption], questions: list[Question]) -> None:
    for split in ("train", "val"):
        write_captions(folder / paths.captions(split), Captions(IMAGES, captions), {})
        write_questions(*(folder / path for path in paths.questions(split)), questions, {})


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_with_captions_the_start_is_made_of_them_alone(tmp_path: Path, task: str) -> None:
    captions = [Caption(0, 0, "a cat"), Caption(1, 2, "a dog")]
    written(tmp_path, captions, QUESTIONS)
    assert examples.start_texts(task) == Captions([IMAGES[0], IMAGES[2]], captions)


def test_without_captions_the_start_of_questions_is_made_of_them_and_their_answers(tmp_path: Path) -> None:
    written(tmp_path, [], QUESTIONS)
    assert examples.start_texts("vqa").by_image() == {0: ["what is it? cat"], 1: ["what is it? dog"]}
    with pytest.raises(InputError, match=r"captions_train\.json: the data set has no captions; take"):
        examples.start_texts("caption")
    with pytest.raises(InputError, match=r"captions_val\.json: the data set has no captions"):
        examples.captioning("val", Letters(), {0, 1, 2})


def test_without_any_text_there_is_no_start(tmp_path: Path) -> None:
    written(tmp_path, [], [])
    with pytest.raises(InputError, match="the data set has no questions"):
        examples.start_texts("vqa")


def test_an_image_without_a_caption_is_no_example_of_captioning(tmp_path: Path) -> None:
    written(tmp_path, [Caption(0, 1, "a")], QUESTIONS)
    [example] = examples.captioning("train", Letters(), {0, 1, 2})
    assert (example.image_id, [text.target for text in example.texts]) == (1, [[ord("a"), 0]])
    assert json.loads(paths.captions("train").read_text())["images"][0] == {"id": 0, "file_name": "0.png"}
