"""Attention on the image for some test images of a run, with its check, in a file beside the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from vltune.data.batch import Text
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.model.decoder import DecoderConfig
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json
from vltune.pipeline.params import Section
from vltune.pipeline.questions import AnswerPrediction, read_answer_predictions
from vltune.pipeline.randomness import derive
from vltune.pipeline.records import evenly, read_predictions
from vltune.pipeline.tasks import joined, tasks_of
from vltune.prediction.attention import Forced, attention, force, on_image
from vltune.prediction.faithfulness import MASKED, Check, check

BATCH = 10  # images that are read together; each has len(MASKED) rows for every checked token
DIGITS = 4  # of a weight in the file


class Attention(Section):
    """Section `attention`: for how many test images, the layers and heads whose weights are averaged (all if
    empty), and how it is checked: tokens of a text, the share of the image tokens that is masked, the seed of
    the random ones."""

    images: int = Field(ge=1)
    layers: list[int]
    heads: list[int]
    checked_tokens: int = Field(ge=1)
    masked_share: float = Field(gt=0, le=1)
    seed: int


@dataclass(frozen=True)
class Case:
    """A generated text about an image: its caption, or the answer to a question."""

    image_id: int | str
    file_name: str
    question: str
    text: str


def explain(
    vlm: VisionLanguageModel, features: Features, tokenizer: Tokenizer, run: tuple[str, str, int],
    settings: Attention,
) -> None:
    """Write data/predictions/TASK-METHOD-SEED.attention.json, for some images with predictions, task by task.

    Of each image it has the text, its tokens, a line with the weights of each token on the image tokens (the
    cells of the grid row by row, extra tokens of the encoder, the tags), the checked tokens, and their
    mean drop by what was masked. `sink` tells whether the first cell is the first position of the row.

    Args: run, method, task and seed.
    Raises:
        InputError: as `check_choice`.
    """
    check_choice(settings, vlm.decoder.config)
    write_json(paths.predictions(*run).with_suffix(".attention.json"), joined({
        task: _explained(vlm, features, tokenizer, run, task, settings) for task in tasks_of(run[1])}))


def _explained(
    vlm: VisionLanguageModel, features: Features, tokenizer: Tokenizer, run: tuple[str, str, int], task: str,
    settings: Attention,
) -> dict[str, Any]:
    """Give what the file says of a task."""
    cases = CASES[task](paths.predictions(*run), settings.images)
    generator = torch.Generator().manual_seed(derive(settings.seed, "masked image tokens"))
    rows: list[dict[str, Any]] = []
    for start in tqdm(range(0, len(cases), BATCH), f"{' '.join(map(str, run))}: attention", unit="batch"):
        batch = cases[start:start + BATCH]
        taken = torch.from_numpy(features.take([case.image_id for case in batch]))
        taken = taken.to(vlm.decoder.embedding.weight.device)
        forced = force(vlm, taken, [_text(case, tokenizer, vlm.template.suffix) for case in batch])
        weights, unmasked = attention(vlm, forced, settings.layers, settings.heads)
        weights = on_image(weights, forced)
        checked = check(
            vlm, forced, weights, unmasked, settings.checked_tokens, settings.masked_share, generator)
        rows += [_row(case, i, forced, weights, checked, tokenizer) for i, case in enumerate(batch)]
    return {
        "settings": settings.model_dump(), "cells": vlm.projector.cells, "tags": vlm.projector.tags,
        **_beyond_plain(vlm, features.signature), "sink": vlm.sink, "images": rows}


def _beyond_plain(vlm: VisionLanguageModel, signature: dict[str, Any]) -> dict[str, Any]:
    """Give what the file says of extra tokens, and of images that were not squashed, if there are such."""
    extras = {"extras": vlm.projector.extras} if vlm.projector.extras else {}
    return extras | {key: signature[key] for key in ("fit", "crop_pct") if key in signature}


def check_choice(settings: Attention, sizes: DecoderConfig) -> None:
    """Check that the chosen layers and heads are there.

    Raises:
        InputError: the decoder has no such layer or head; names it, and those that there are.
    """
    for name in ("layers", "heads"):
        count = getattr(sizes, name)
        wrong = [number for number in getattr(settings, name) if not 0 <= number < count]
        if wrong:
            raise InputError(
                f"params.yaml: attention.{name} holds {wrong[0]}; the decoder's {name} are 0 to {count - 1}")


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """Give the text of each token, by itself."""
    return [tokenizer.decode([token]) for token in ids]


def _text(case: Case, tokenizer: Tokenizer, suffix: Sequence[int]) -> Text:
    """Encode a text as it is trained: an answer begins with a space, after the suffix of a chat form."""
    if case.question:
        prompt = [*tokenizer.encode(case.question), *suffix]
        return Text(prompt, tokenizer.encode(f" {case.text}" if case.text else ""))
    return Text((), tokenizer.encode(case.text))


def _row(
    case: Case, number: int, forced: Forced, weights: Tensor, checked: Check, tokenizer: Tokenizer
) -> dict[str, Any]:
    """Give what the file holds of image `number` of a batch."""
    own = (forced.rows == number).nonzero()[:, 0].tolist()
    tokens = [i for i, token in enumerate(checked.tokens.tolist()) if token in own]
    drops = checked.drops[tokens].double().mean(0).tolist() if tokens else []
    return {
        **vars(case), "tokens": pieces(tokenizer, forced.target[own].tolist()),
        "weights": [" ".join(f"{x:.{DIGITS}f}" for x in line) for line in weights[own].tolist()],
        "checked": [own.index(checked.tokens[i].item()) for i in tokens],
        "drops": {name: round(drop, 6) for name, drop in zip(MASKED, drops, strict=False)},
    }


def _captions(path: Path, count: int) -> list[Case]:
    rows = read_predictions(path)
    return [Case(row.image_id, row.file_name, "", row.caption) for row in evenly(rows, count)]


def _answers(path: Path, count: int) -> list[Case]:
    """Take a question about each image: the first about the first image, the second about the second ..."""
    groups: dict[int | str, list[AnswerPrediction]] = {}
    for row in read_answer_predictions(path):
        groups.setdefault(row.image_id, []).append(row)
    rows = [group[i % len(group)] for i, group in enumerate(evenly(list(groups.values()), count))]
    return [Case(row.image_id, row.file_name, row.question, row.answer) for row in rows]


CASES = {"caption": _captions, "vqa": _answers}  # by task
