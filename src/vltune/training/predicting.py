"""From a checkpoint to what it says about the test images: captions, or answers to questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from vltune import layout
from vltune.data.examples import questions_of
from vltune.data.features import Features
from vltune.data.tokens import Tokenizer
from vltune.layout import DECODER, FEATURES
from vltune.layout import checkpoint as checkpoint_folder
from vltune.layout import predictions as predictions_file
from vltune.model.captioner import Captioner
from vltune.model.generate import generate
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.questions import Answered, Question, write_answered
from vltune.records import Prediction, read_captions, write_predictions
from vltune.sections import Predict
from vltune.training import checkpoint
from vltune.training.answering import answer, rank

Answer = Callable[[Captioner, torch.Tensor, Sequence[Sequence[str]], Tokenizer], list[list[str]]]


def predict(method: str, task: str, seed: int, settings: Predict) -> None:
    """Caption the test images, or answer the questions about them, with one run's checkpoint; write data/predictions/."""
    deterministic()
    device = choose_device()
    features = Features(FEATURES, "test")
    captioner = checkpoint.load(checkpoint_folder(method, task, seed), DECODER, checkpoint.base_of(DECODER, features.signature),
                                choose_dtype(settings.precision, device)).to(device)
    SAY[task](captioner, features, settings, f"{method} {task} seed {seed}", predictions_file(method, task, seed))


def _write_captions(captioner: Captioner, features: Features, settings: Predict, name: str, file: Path) -> None:
    captions = read_captions(layout.captions("test"))
    references = captions.by_image()
    images = [image for image in captions.images if image.id in features.row]
    said: list[str] = []
    tokenizer = Tokenizer(DECODER)
    for start in tqdm(range(0, len(images), settings.batch_size), name, unit="batch"):
        ids = [image.id for image in images[start:start + settings.batch_size]]
        said += caption(captioner, _take(captioner, features, ids), tokenizer, settings.beams, settings.length_penalty,
                        settings.max_new_tokens)
    write_predictions(file, [
        Prediction(image.id, image.file_name, text, references[image.id]) for image, text in zip(images, said, strict=True)])


def _write_answers(captioner: Captioner, features: Features, settings: Predict, name: str, file: Path) -> None:
    """Answer every question three times: with the image, and as blind controls with another image and with the mean image."""
    files = {image.id: image.file_name for image in read_captions(layout.captions("test")).images}
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
        found = say(captioner, _take(captioner, features, seen), [[one.question for one in group] for group in asked], tokenizer)
        said |= {(image_id, one.id): text for image_id, group, texts in zip(seen, asked, found, strict=True)
                 for one, text in zip(group, texts, strict=True)}
    instead = {other: image_id for image_id, other in others.items()}
    rows = [one for group in groups.values() for one in group]
    different = sorted({one.question for one in rows})
    mean = torch.from_numpy(features.take(ids).mean(0, dtype="float32")).to(captioner.decoder.embedding.weight.device)
    blind = dict(zip(different, say(captioner, mean[None], [different], tokenizer)[0], strict=True))
    write_answered(file, [
        Answered(one.id, one.image_id, files[one.image_id], one.question, one.question_type, one.answer_type,
                 said[one.image_id, one.id], said[instead[one.image_id], one.id], blind[one.question], one.answers)
        for one in rows])


SAY = {"caption": _write_captions, "vqa": _write_answers}  # by task


def _answerer(settings: Predict) -> Answer:
    if settings.answers == "generate":
        return partial(answer, max_new_tokens=settings.max_answer_tokens)
    counts = Counter(one.answer for one in questions_of("train"))
    return partial(rank, candidates=[text for text, _ in counts.most_common(settings.candidates)])


def _take(captioner: Captioner, features: Features, ids: list[int | str]) -> torch.Tensor:
    return torch.from_numpy(features.take(ids)).to(captioner.decoder.embedding.weight.device)


@torch.inference_mode()
def caption(
    captioner: Captioner, features: torch.Tensor, tokenizer: Tokenizer, beams: int, length_penalty: float, max_new_tokens: int
) -> list[str]:
    """Caption images given by their features [b, k, w]."""
    x = captioner.embed_images(features)
    valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    found = generate(captioner.decoder, x, valid, tokenizer.end, beams, length_penalty, max_new_tokens)
    return [tokenizer.decode(ids) for ids in found]
