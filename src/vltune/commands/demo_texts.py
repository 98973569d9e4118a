"""What a demo shows of an image: each run's caption or answer as it grows, at last with its attention.

Everything is given as events, dictionaries that become lines of JSON. They have `method`, and
    loading: true          its decoder is being read
    greedy: text           the greedy text so far
    text, tokens, weights  the final text, its tokens with their spaces, their weights on the image tokens:
                           `cells` of the grid, `extras` of the encoder, the tags; `sink`, as in `explain`
    error: text            why there is none
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from vltune.commands.demo_runs import Run, Runs
from vltune.commands.demo_search import stream
from vltune.data.batch import Text
from vltune.data.tokenizer import Tokenizer
from vltune.pipeline.errors import InputError
from vltune.prediction.attention import attention, force, on_image

DIGITS = 4  # of a weight
Event = dict[str, Any]


def captions(runs: Runs, features: Tensor) -> Iterator[Event]:
    """Caption an image, given by its features [1, k, w], with every run."""
    settings = runs.predict_settings
    widths = [1, settings.beams] if settings.beams > 1 else [1]
    return _events(runs, "caption", features, (), widths, settings.max_new_tokens)


def answers(runs: Runs, features: Tensor, question: str) -> Iterator[Event]:
    """Answer a question about an image, given by its features [1, k, w], with every run; greedily."""
    ids = runs.tokenizer.encode(" ".join(question.split()))
    return _events(runs, "vqa", features, ids, [1], runs.predict_settings.max_answer_tokens)


def _events(
    runs: Runs, task: str, features: Tensor, prompt: Sequence[int], widths: Sequence[int], longest: int
) -> Iterator[Event]:
    """Give the events of a task, a run after the other: so each text is there as soon as it can be."""
    for run in runs.by_task[task]:
        yield from _text(runs, run, features, prompt, widths, longest)


def _text(
    runs: Runs, run: Run, features: Tensor, prompt: Sequence[int], widths: Sequence[int], longest: int
) -> Iterator[Event]:
    """Give the events of a run; its text continues the image and the token ids of a `prompt`."""
    label = {"method": run.method}
    if not runs.is_loaded(run):
        yield label | {"loading": True}
    try:
        vlm = runs.vlm(run)
    except InputError as error:
        yield label | {"error": str(error)}
        return
    with torch.no_grad():
        x = vlm.embed_images(features)
        tokens = torch.tensor([[*prompt, *vlm.template.suffix]], dtype=torch.int64, device=x.device)
        x = torch.cat((x, vlm.decoder.embed(tokens, vlm.dtype)), dim=1)
    penalty = runs.predict_settings.length_penalty
    for greedy, ids in stream(vlm.decoder, x, runs.tokenizer.end, widths, penalty, longest):
        yield label | {"greedy": runs.tokenizer.decode(greedy)}
        if ids is not None:
            yield label | _explained(runs, run, features, prompt, runs.tokenizer.decode(ids))


def _explained(runs: Runs, run: Run, features: Tensor, prompt: Sequence[int], text: str) -> Event:
    """Give the final text of a run with its tokens, and their attention on the image tokens."""
    vlm, settings = runs.vlm(run), runs.attention_settings
    ids = runs.tokenizer.encode(f" {text}" if prompt and text else text)  # as it is trained
    weights: list[list[float]] = []
    if ids:
        forced = force(vlm, features, [Text((*prompt, *vlm.template.suffix), tuple(ids))])
        taken = on_image(attention(vlm, forced, settings.layers, settings.heads)[0], forced)
        weights = [[round(x, DIGITS) for x in row] for row in taken.tolist()]
    return {"text": text, "tokens": parts(runs.tokenizer, ids), "weights": weights,
            "cells": vlm.projector.cells, "extras": vlm.projector.extras, "sink": vlm.sink}


def parts(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """Give what each token adds to the text, with its space; joined, they are the text."""
    text = tokenizer.decode(ids)
    starts = [tokenizer.decode(ids[:i]).rstrip("\ufffd") for i in range(len(ids))]  # no part of a letter
    return [text[a:b] for a, b in pairwise(accumulate([*map(len, starts), len(text)], max))]
