"""The sections of params.yaml that are nobody's own: what the stages preprocess, align, train and predict read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vltune.params import Section

TASKS = ("caption", "vqa")


class Preprocess(Section):
    """Section `preprocess`: the images' size in pixels, the side of the token grid, what a token says of the patches in its
    cell, and the encoder's batches."""

    image_size: int = Field(ge=14, le=4096)
    grid: int = Field(ge=1, le=64)
    pooling: Literal["mean", "mean+deviation"]
    batch_size: int = Field(ge=1)
    precision: Literal["auto", "bf16", "float32"]
    max_unreadable_share: float = Field(ge=0, le=1)
    pixel_limit: int = Field(ge=1)


class Align(Section):
    """Section `align`: the ridge penalty (a share of the features' mean variance), how many words an image token may be made
    of, how evenly frequent and rare ones are read (0 as the regression gives them, 1 all with the same spread), the spread of
    their scores before the softmax (the larger, the more a token is a single word), how much larger the words are than in a
    text, how large beside them the offsets of the places are, how many tags an image has (0 is none), the sharpness of their
    scores, and the images' number."""

    ridge: float = Field(gt=0)
    words: int = Field(ge=2)
    evenness: float = Field(ge=0, le=1)
    sharpness: float = Field(gt=0)
    scale: float = Field(gt=0)
    places: float = Field(ge=0)
    tags: int = Field(ge=0, le=64)
    tag_sharpness: float = Field(gt=0)
    max_images: int = Field(ge=2)


class Train(Section):
    """Section `train`: what all methods share; learning rates stand in the methods' own sections."""

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    texts_per_image: int = Field(ge=1)
    weight_decay: float = Field(ge=0)
    warmup_share: float = Field(ge=0, le=1)
    clip_norm: float = Field(gt=0)
    evaluations: int = Field(ge=1)
    checkpoint_seconds: float = Field(ge=0)
    precision: Literal["auto", "bf16", "float32"]


class Budget(Section):
    """Section `budget`: how much of the decoder every method that has a size trains, as a share of its parameters or as a
    number (both empty: the methods' own sizes), and by which share of it the nearest size may miss it."""

    trained_share: float | None = Field(gt=0, le=1)
    trained_parameters: int | None = Field(ge=1)
    tolerance: float = Field(ge=0)


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


class Evaluate(Section):
    """Section `evaluate`: samples of the bootstrap over images, the interval's confidence and the seed of the draws."""

    bootstrap_samples: int = Field(ge=100)
    confidence: float = Field(gt=0, lt=1)
    seed: int
