"""Predictions of a checkpoint on the test images: captions, or answers to questions.

Several processes predict neighbouring batches, the same batches as one process; the first process writes all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from tqdm import tqdm

from vltune.data.examples import captions_of, questions_of
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.loading import load_decoder
from vltune.model.precision import choose_device, choose_dtype, deterministic
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths, workers
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES
from vltune.pipeline.questions import AnswerPrediction, Question
from vltune.pipeline.randomness import python_generator
from vltune.pipeline.records import Prediction, read_captions, write_predictions
from vltune.pipeline.tasks import tasks_of
from vltune.prediction import forgetting, speed
from vltune.prediction.answer import answer, rank
from vltune.prediction.explain import Attention, explain
from vltune.prediction.forgetting import Costs
from vltune.prediction.generate import generate


class Predict(Section):
    """Section `predict`: beam search of captions, decoding of answers, batch size and precision.

    One beam is greedy decoding; `length_penalty` is the power of the length
    that divides a caption's score. Answers are generated greedily (generate),
    or ranked by likelihood among the most frequent training answers (rank);
    the aligned start always ranks.
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


# Questions that the blind controls and the aligned start answer: the 95 % interval of an accuracy of 1/4,
# about theirs, then has a half-width of 1.96 * sqrt(0.25 * 0.75 / 1200) = 2.45 points.
CONTROL_QUESTIONS = 1200


class Run(NamedTuple):
    """Which run predicts."""

    method: str
    task: str
    seed: int

    def __str__(self) -> str:
        """Name the run in a progress bar."""
        return f"{self.method} {self.task} seed {self.seed}"


def predict(
    method: str, task: str, seed: int, settings: Predict, explained: Attention, measured: Costs
) -> None:
    """Caption the test images, answer the questions about them, or both; write the predictions of a run, and
    of a method its attention on some of the images, what it has forgotten, and how fast it generates.
    """
    deterministic()
    device = choose_device()
    features = Features(FEATURES, "test")
    base, dtype = checkpoint.base_of(DECODER, features.signature), choose_dtype(settings.precision, device)
    decoder, folder = load_decoder(DECODER).to(dtype).to(device), paths.checkpoint(method, task, seed)
    vlm = checkpoint.onto(decoder, folder, base, dtype).to(device)
    run = Run(method, task, seed)
    rows = {each: PREDICTORS[each](vlm, features, settings, run) for each in tasks_of(task)}
    if workers.rank():
        return
    write_predictions(paths.predictions(*run), rows)
    if method != paths.START:
        tokenizer = Tokenizer(DECODER)
        explain(vlm, features, tokenizer, run, explained)
        forgetting.write(vlm, decoder, tokenizer, run, measured)
        timed = {each: TIMED[each](features, settings, measured.timed_images) for each in tasks_of(task)}
        merged = speed.merged(vlm, decoder, lambda: checkpoint.onto(decoder, folder, base, dtype), folder)
        speed.write(vlm, merged, timed, run)


def _captions(
    vlm: VisionLanguageModel, features: Features, settings: Predict, run: Run
) -> list[Prediction]:
    """Caption every image; the first process gets all rows, the others none."""
    captions = captions_of("test")
    references = captions.by_image()
    images = [image for image in captions.images if image.id in features.row]
    texts: list[str] = []
    tokenizer = Tokenizer(DECODER)
    for ids in _own_batches([image.id for image in images], settings, run):
        texts += caption(vlm, _take(vlm, features, ids), tokenizer, settings.beams, settings.length_penalty,
                         settings.max_new_tokens)
    texts = workers.merged(texts)
    if workers.rank():
        return []
    return [Prediction(image.id, image.file_name, text, references[image.id])
            for image, text in zip(images, texts, strict=True)]


def _answers(
    vlm: VisionLanguageModel, features: Features, settings: Predict, run: Run
) -> list[AnswerPrediction]:
    """Answer every question with its image, and a sample of them in two blind controls: with the features of
    another image, and with the mean features of all images. The aligned start answers the sample alone. The
    first process gets all rows, the others none.
    """
    files = {image.id: image.file_name for image in read_captions(paths.captions("test")).images}
    questions = [question for question in questions_of("test") if question.image_id in features.row]
    sample = control_sample(questions)
    predict_answers, tokenizer = _answerer(settings, run.method == paths.START), Tokenizer(DECODER)
    controls = [question for question in questions if question.id in sample]
    ids = list(dict.fromkeys(question.image_id for question in questions))
    half = len(ids) // 2
    other = dict(zip(ids[half:] + ids[:half], ids, strict=True))  # the image that an image's control shows
    asked: dict[int | str, list[Question]] = {image_id: [] for image_id in ids}
    for question in controls if run.method == paths.START else questions:
        asked[question.image_id].append(question)
    for question in controls:
        asked[other[question.image_id]].append(question)
    answers: dict[tuple[int | str, int], str] = {}  # by image and question
    for batch in _own_batches(ids, settings, run):
        texts = predict_answers(
            vlm, _take(vlm, features, batch), [_texts_of(asked[image_id]) for image_id in batch], tokenizer)
        for image_id, group_texts in zip(batch, texts, strict=True):
            for question, text in zip(asked[image_id], group_texts, strict=True):
                answers[image_id, question.id] = text
    answers = dict(workers.merged(list(answers.items())))
    if workers.rank():
        return []
    unique = sorted(set(_texts_of(controls)))
    mean = torch.from_numpy(features.take(ids).mean(0, dtype="float32"))
    mean = mean.to(vlm.decoder.embedding.weight.device)
    blind = dict(zip(unique, predict_answers(vlm, mean[None], [unique], tokenizer)[0], strict=True))
    return [
        AnswerPrediction(
            row.id, row.image_id, files[row.image_id], row.question, row.question_type, row.answer_type,
            answers.get((row.image_id, row.id)), answers.get((other[row.image_id], row.id)),
            blind[row.question] if row.id in sample else None, row.answers)
        for row in questions]


def _own_batches(ids: list[int | str], settings: Predict, run: Run) -> Iterator[list[int | str]]:
    """Give the batches of this process, with a progress bar in the first."""
    own = workers.share(ids, settings.batch_size)
    starts = range(0, len(own), settings.batch_size)
    for start in tqdm(starts, str(run), unit="batch", disable=workers.rank() > 0):
        yield list(own[start:start + settings.batch_size])


def control_sample(questions: Sequence[Question]) -> set[int]:
    """Draw the questions of the controls, by id: the same for every run on these questions."""
    ids = [question.id for question in questions]
    rng = python_generator(0, "questions of the controls")
    return set(rng.sample(ids, min(CONTROL_QUESTIONS, len(ids))))


def _texts_of(questions: list[Question]) -> list[str]:
    return [question.question for question in questions]


PREDICTORS: dict[str, Callable[..., list[Any]]] = {"caption": _captions, "vqa": _answers}  # by task


def _answerer(settings: Predict, start: bool) -> Answerer:
    """Give what answers; the aligned start ranks, as it has never been trained to answer, nor to end one."""
    if settings.answers == "generate" and not start:
        return partial(answer, max_new_tokens=settings.max_answer_tokens)
    counts = Counter(question.answer for question in questions_of("train"))
    candidates = [text for text, _ in counts.most_common(settings.candidates)]
    return partial(rank, candidates=candidates, ended=not start)


def _timed_captions(features: Features, settings: Predict, count: int) -> speed.Generate:
    ids, tokenizer = features.ids[:count], Tokenizer(DECODER)
    return lambda vlm: caption(vlm, _take(vlm, features, ids), tokenizer, settings.beams,
                               settings.length_penalty, settings.max_new_tokens)


def _timed_answers(features: Features, settings: Predict, count: int) -> speed.Generate:
    groups: dict[int | str, list[str]] = {}
    for question in questions_of("test"):
        if question.image_id in features.row:
            groups.setdefault(question.image_id, []).append(question.question)
    ids, tokenizer, predict_answers = list(groups)[:count], Tokenizer(DECODER), _answerer(settings, False)
    asked = [groups[image_id] for image_id in ids]

    def generate_some(vlm: VisionLanguageModel) -> list[str]:
        answers = predict_answers(vlm, _take(vlm, features, ids), asked, tokenizer)
        return [text for group in answers for text in group]

    return generate_some


TIMED = {"caption": _timed_captions, "vqa": _timed_answers}  # by task


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
