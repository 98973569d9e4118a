"""Predictions of a checkpoint on the test images: captions, or answers to questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from tqdm import tqdm

from vltune.data.examples import captions_of, questions_of
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.pipeline.questions import AnswerPrediction, Question, write_answer_predictions
from vltune.pipeline.records import Prediction, read_captions, write_predictions
from vltune.prediction.answer import answer, rank
from vltune.prediction.generate import generate


class Predict(Section):
    """Section `predict`: beam search of captions, decoding of answers, batch size and precision.

    One beam is greedy decoding; `length_penalty` is the power of the length
    that divides a caption's score. Answers are generated greedily (generate),
    or ranked by likelihood among the most frequent training answers (rank).
    """

    beams: int = Field(ge=1, le=64)
    length_penalty: float = Field(ge=0)
    max_new_tokens: int = Field(ge=1)
    answers: Literal["generate", "rank"]
    max_answer_tokens: int = Field(ge=1)
    candidates: int = Field(ge=2)
    batch_size: int = Field(ge=1)
    precision: Literal["auto", "bf16", "float32"]


Answerer = Callable[[VisionLanguageModel, torch.Tensor, Sequence[Sequence[str]], Tokenizer], list[list[str]]]


def predict(method: str, task: str, seed: int, settings: Predict) -> None:
    """Caption the test images, or answer the questions about them, and write the predictions of a run."""
    deterministic()
    device = choose_device()
    features = Features(FEATURES, "test")
    base, dtype = checkpoint.base_of(DECODER, features.signature), choose_dtype(settings.precision, device)
    vlm = checkpoint.load(paths.checkpoint(method, task, seed), DECODER, base, dtype).to(device)
    name, file = f"{method} {task} seed {seed}", paths.predictions(method, task, seed)
    PREDICTORS[task](vlm, features, settings, name, file)


def _write_captions(
    vlm: VisionLanguageModel, features: Features, settings: Predict, name: str, file: Path
) -> None:
    captions = captions_of("test")
    references = captions.by_image()
    images = [image for image in captions.images if image.id in features.row]
    texts: list[str] = []
    tokenizer = Tokenizer(DECODER)
    for start in tqdm(range(0, len(images), settings.batch_size), name, unit="batch"):
        ids = [image.id for image in images[start:start + settings.batch_size]]
        texts += caption(vlm, _take(vlm, features, ids), tokenizer, settings.beams, settings.length_penalty,
                         settings.max_new_tokens)
    rows = zip(images, texts, strict=True)
    write_predictions(file, [
        Prediction(image.id, image.file_name, text, references[image.id]) for image, text in rows])


def _write_answers(
    vlm: VisionLanguageModel, features: Features, settings: Predict, name: str, file: Path
) -> None:
    """Answer every question with its image, and in two blind controls: another image, and the mean image."""
    files = {image.id: image.file_name for image in read_captions(paths.captions("test")).images}
    groups: dict[int | str, list[Question]] = {}
    for question in questions_of("test"):
        if question.image_id in features.row:
            groups.setdefault(question.image_id, []).append(question)
    ids, tokenizer = list(groups), Tokenizer(DECODER)
    predict_answers = _answerer(settings)
    half = len(ids) // 2
    others = dict(zip(ids, ids[half:] + ids[:half], strict=True))  # each image is another one's control once
    answers: dict[tuple[int | str, int], str] = {}  # by image and question
    for start in tqdm(range(0, len(ids), settings.batch_size), name, unit="batch"):
        batch = ids[start:start + settings.batch_size]
        questions = [[*groups[image_id], *groups[others[image_id]]] for image_id in batch]
        texts = predict_answers(vlm, _take(vlm, features, batch), _texts_of(questions), tokenizer)
        for image_id, group, group_texts in zip(batch, questions, texts, strict=True):
            for question, text in zip(group, group_texts, strict=True):
                answers[image_id, question.id] = text
    control = {other: image_id for image_id, other in others.items()}
    rows = [question for group in groups.values() for question in group]
    unique = sorted({question.question for question in rows})
    mean = torch.from_numpy(features.take(ids).mean(0, dtype="float32"))
    mean = mean.to(vlm.decoder.embedding.weight.device)
    blind = dict(zip(unique, predict_answers(vlm, mean[None], [unique], tokenizer)[0], strict=True))
    write_answer_predictions(file, [
        AnswerPrediction(
            row.id, row.image_id, files[row.image_id], row.question, row.question_type, row.answer_type,
            answers[row.image_id, row.id], answers[control[row.image_id], row.id], blind[row.question],
            row.answers)
        for row in rows])


def _texts_of(groups: list[list[Question]]) -> list[list[str]]:
    return [[question.question for question in group] for group in groups]


PREDICTORS = {"caption": _write_captions, "vqa": _write_answers}  # by task


def _answerer(settings: Predict) -> Answerer:
    if settings.answers == "generate":
        return partial(answer, max_new_tokens=settings.max_answer_tokens)
    counts = Counter(question.answer for question in questions_of("train"))
    return partial(rank, candidates=[text for text, _ in counts.most_common(settings.candidates)])


def _take(vlm: VisionLanguageModel, features: Features, ids: list[int | str]) -> torch.Tensor:
    return torch.from_numpy(features.take(ids)).to(vlm.decoder.embedding.weight.device)


@torch.inference_mode()
def caption(
    vlm: VisionLanguageModel, features: torch.Tensor, tokenizer: Tokenizer, beams: int, length_penalty: float,
    max_new_tokens: int
) -> list[str]:
    """Caption images given by their features [b, k, w]."""
    x = vlm.embed_images(features)
    valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    generated = generate(vlm.decoder, x, valid, tokenizer.end, beams, length_penalty, max_new_tokens)
    return [tokenizer.decode(ids) for ids in generated]
