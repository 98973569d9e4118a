"""From a checkpoint to what it says about the test images: captions, or answers to questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from tqdm import tqdm

from vltune.data.examples import questions_of
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.pipeline.paths import checkpoint as checkpoint_folder
from vltune.pipeline.paths import predictions as predictions_file
from vltune.pipeline.questions import Answered, Question, write_answered
from vltune.pipeline.records import Prediction, read_captions, write_predictions
from vltune.prediction.answer import answer, rank
from vltune.prediction.generate import generate


class Predict(Section):
    """Section `predict`: beam search of captions (1 beam is greedy), the power of the length in its score, and batches of
    images; answers are said greedily (generate), or chosen by likelihood among the most frequent training answers (rank)."""

    beams: int = Field(ge=1, le=64)
    length_penalty: float = Field(ge=0)
    max_new_tokens: int = Field(ge=1)
    answers: Literal["generate", "rank"]
    max_answer_tokens: int = Field(ge=1)
    candidates: int = Field(ge=2)
    batch_size: int = Field(ge=1)
    precision: Literal["auto", "bf16", "float32"]

Answer = Callable[[VisionLanguageModel, torch.Tensor, Sequence[Sequence[str]], Tokenizer], list[list[str]]]


def predict(method: str, task: str, seed: int, settings: Predict) -> None:
    """Caption the test images, or answer the questions about them, with one run's checkpoint; write data/predictions/."""
    deterministic()
    device = choose_device()
    features = Features(FEATURES, "test")
    vlm = checkpoint.load(checkpoint_folder(method, task, seed), DECODER, checkpoint.base_of(DECODER, features.signature),
                                choose_dtype(settings.precision, device)).to(device)
    PREDICTORS[task](vlm, features, settings, f"{method} {task} seed {seed}", predictions_file(method, task, seed))


def _write_captions(vlm: VisionLanguageModel, features: Features, settings: Predict, name: str, file: Path) -> None:
    captions = read_captions(paths.captions("test"))
    references = captions.by_image()
    images = [image for image in captions.images if image.id in features.row]
    said: list[str] = []
    tokenizer = Tokenizer(DECODER)
    for start in tqdm(range(0, len(images), settings.batch_size), name, unit="batch"):
        ids = [image.id for image in images[start:start + settings.batch_size]]
        said += caption(vlm, _take(vlm, features, ids), tokenizer, settings.beams, settings.length_penalty,
                        settings.max_new_tokens)
    write_predictions(file, [
        Prediction(image.id, image.file_name, text, references[image.id]) for image, text in zip(images, said, strict=True)])


def _write_answers(vlm: VisionLanguageModel, features: Features, settings: Predict, name: str, file: Path) -> None:
    """Answer every question three times: with the image, and as blind controls with another image and with the mean image."""
    files = {image.id: image.file_name for image in read_captions(paths.captions("test")).images}
    groups: dict[int | str, list[Question]] = {}
    for one in questions_of("test"):
        if one.image_id in features.row:
            groups.setdefault(one.image_id, []).append(one)
    ids, tokenizer = list(groups), Tokenizer(DECODER)
    say = _answerer(settings)
    others = dict(zip(ids, ids[len(ids) // 2:] + ids[:len(ids) // 2], strict=True))  # each image serves once for another one
    said: dict[tuple[int | str, int], str] = {}  # by the image that is seen and the question
    for start in tqdm(range(0, len(ids), settings.batch_size), name, unit="batch"):
        seen = ids[start:start + settings.batch_size]
        asked = [[*groups[image_id], *groups[others[image_id]]] for image_id in seen]
        found = say(vlm, _take(vlm, features, seen), [[one.question for one in group] for group in asked], tokenizer)
        said |= {(image_id, one.id): text for image_id, group, texts in zip(seen, asked, found, strict=True)
                 for one, text in zip(group, texts, strict=True)}
    instead = {other: image_id for image_id, other in others.items()}
    rows = [one for group in groups.values() for one in group]
    different = sorted({one.question for one in rows})
    mean = torch.from_numpy(features.take(ids).mean(0, dtype="float32")).to(vlm.decoder.embedding.weight.device)
    blind = dict(zip(different, say(vlm, mean[None], [different], tokenizer)[0], strict=True))
    write_answered(file, [
        Answered(one.id, one.image_id, files[one.image_id], one.question, one.question_type, one.answer_type,
                 said[one.image_id, one.id], said[instead[one.image_id], one.id], blind[one.question], one.answers)
        for one in rows])


PREDICTORS = {"caption": _write_captions, "vqa": _write_answers}  # by task


def _answerer(settings: Predict) -> Answer:
    if settings.answers == "generate":
        return partial(answer, max_new_tokens=settings.max_answer_tokens)
    counts = Counter(one.answer for one in questions_of("train"))
    return partial(rank, candidates=[text for text, _ in counts.most_common(settings.candidates)])


def _take(vlm: VisionLanguageModel, features: Features, ids: list[int | str]) -> torch.Tensor:
    return torch.from_numpy(features.take(ids)).to(vlm.decoder.embedding.weight.device)


@torch.inference_mode()
def caption(
    vlm: VisionLanguageModel, features: torch.Tensor, tokenizer: Tokenizer, beams: int, length_penalty: float, max_new_tokens: int
) -> list[str]:
    """Caption images given by their features [b, k, w]."""
    x = vlm.embed_images(features)
    valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    found = generate(vlm.decoder, x, valid, tokenizer.end, beams, length_penalty, max_new_tokens)
    return [tokenizer.decode(ids) for ids in found]
