"""From a split's captions or questions to texts in token ids, and the order in which training sees them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from vltune.data.batch import Text
from vltune.data.tokenizer import Tokenizer
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import TASKS
from vltune.pipeline.questions import Question, read_questions
from vltune.pipeline.randomness import python_generator
from vltune.pipeline.records import Caption, Captions, read_captions
from vltune.pipeline.tasks import JOINT, tasks_of


@dataclass(frozen=True)
class Example:
    """An image and all the texts that a training may use with it; in a batch, whether its mirror image is
    taken, where there are features of it."""

    image_id: int | str
    texts: list[Text]
    flipped: bool = False


def captioning(split: str, tokenizer: Tokenizer, have: set[int | str]) -> list[Example]:
    """Make the examples of a split's captions: no prompt, the caption as target.

    Raises:
        InputError: the split has no captions.
    """
    examples = []
    for image_id, references in captions_of(split).by_image().items():
        if image_id in have:
            texts = [Text((), [*ids, tokenizer.end]) for ids in tokenizer.encode_all(references)]
            examples.append(Example(image_id, texts))
    return examples


def answering(split: str, tokenizer: Tokenizer, have: set[int | str]) -> list[Example]:
    """Make the examples of a split's questions: the question as prompt, the most frequent answer as target.

    Raises:
        InputError: the split has no questions.
    """
    questions = [question for question in questions_of(split) if question.image_id in have]
    prompts = tokenizer.encode_all([question.question for question in questions])
    answers = tokenizer.encode_all([f" {question.answer}" for question in questions])
    texts: dict[int | str, list[Text]] = {}
    for question, prompt, answer in zip(questions, prompts, answers, strict=True):
        text = Text(prompt, [*answer, tokenizer.end], TASKS.index("vqa"))
        texts.setdefault(question.image_id, []).append(text)
    return [Example(image_id, group) for image_id, group in texts.items()]


def together(split: str, tokenizer: Tokenizer, have: set[int | str]) -> list[Example]:
    """Make the examples of a joint training: the captions of each image, then the questions about it; an
    image that has texts of one task alone is used with these.

    Raises:
        InputError: the split has no captions, or no questions.
    """
    texts = {example.image_id: example.texts for example in captioning(split, tokenizer, have)}
    for example in answering(split, tokenizer, have):
        texts[example.image_id] = [*texts.get(example.image_id, []), *example.texts]
    return [Example(image_id, group) for image_id, group in texts.items()]


def captions_of(split: str) -> Captions:
    """Read a split's captions, and the images that have any; InputError if none has."""
    captions = read_captions(paths.captions(split)).captioned()
    if not captions.images:
        raise InputError(
            f"{paths.captions(split)}: the data set has no captions; take 'caption' out of 'tasks' in "
            f"params.yaml, or choose a data set that has some"
        )
    return captions


def start_texts(task: str) -> Captions:
    """Give the texts of training images that the start of the projector is made of: the captions; for
    questions about images without captions, each question with its answer.

    Raises:
        InputError: there are no captions, and the task needs some or there are no questions.
    """
    if start_source(task) == "captions":
        return captions_of("train")
    content = read_captions(paths.captions("train"))
    texts = [
        Caption(i, question.image_id, f"{question.question} {question.answer}")
        for i, question in enumerate(questions_of("train"))
    ]
    return Captions(content.images, texts).captioned()


def start_source(task: str) -> str:
    """Say which training texts the start of the projector is made of, captions or questions."""
    if "caption" in tasks_of(task) or read_captions(paths.captions("train")).captions:
        return "captions"
    return "questions"


def questions_of(split: str) -> list[Question]:
    """Read a split's questions; InputError if it has none."""
    known = {image.id for image in read_captions(paths.captions(split)).images}
    questions_file, answers_file = paths.questions(split)
    questions = read_questions(questions_file, answers_file, known)
    if not questions:
        raise InputError(
            f"{questions_file}: the data set has no questions; take 'vqa' out of 'tasks' in params.yaml, "
            f"or choose another data set"
        )
    return questions


EXAMPLES = {"caption": captioning, "vqa": answering, JOINT: together}


def rows(
    examples: list[Example], steps: int, batch_size: int, texts_per_image: int, seed: int, start: int = 0
) -> Iterator[list[Example]]:
    """Give the batches of steps start to steps - 1: epochs in a new order each, with texts_per_image texts of
    each task of each image.

    A batch depends on seed and step alone, so a training
    that goes on after a kill sees what it would have seen.
    """
    order: list[int] = []
    epoch = -1
    for step in range(start, steps):
        picked = []
        for index in range(step * batch_size, (step + 1) * batch_size):
            if index // len(examples) != epoch:
                epoch = index // len(examples)
                order = list(range(len(examples)))
                python_generator(seed, f"order of epoch {epoch}").shuffle(order)
            example = examples[order[index % len(examples)]]
            flipped = python_generator(seed, f"flip at place {index}").random() < 0.5
            texts: list[Text] = []
            for group in grouped(example.texts):  # a task's texts are those that it has in its own training
                texts += _some(group, texts_per_image, python_generator(seed, f"texts at place {index}"))
            picked.append(Example(example.image_id, texts, flipped))
        yield picked


def grouped(texts: Iterable[Text]) -> list[list[Text]]:
    """Group the texts of an image by their tasks."""
    return [list(group) for _, group in groupby(texts, key=lambda text: text.task)]


def _some(texts: list[Text], count: int, rng: random.Random) -> list[Text]:
    return texts if len(texts) <= count else rng.sample(texts, count)
