"""The closed-form start of the projector: ridge regression of each image's words on its features.
 With a random projector the decoder first learns the form of captions and ignores the image for hundreds of
steps. With this start, which costs seconds, training starts from an informative visual prefix.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vltune.data.examples import start_texts
from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.decoder import Decoder
from vltune.model.precision import deterministic
from vltune.model.projector import Projector, global_pool, saliency_weights
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import fingerprint
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES, START
from vltune.pipeline.paths import checkpoint as checkpoint_folder
from vltune.pipeline.records import Captions


class Align(Section):
    """Section `align`: the hyperparameters of the closed-form start.

    ridge: the penalty, as a share of the mean variance of the features. words: the largest size of the
    vocabulary that image tokens are mixtures of. std_exponent: how far the standard deviations of the words'
    logits are equalised: 0 not at all, 1 fully. logit_scale: the standard deviation of the word head's
    logits; the larger, the closer a token is to one word. scale: the factor on the word embeddings.
    position_scale: the standard deviation of the position offsets, relative to that of the word embeddings.
    tags: the number of tags of an image; 0 for none. tag_logit_scale: the factor on the tag head's logits.
    max_images: the largest number of training images that the regressions use.
    """

    ridge: float = Field(gt=0)
    words: int = Field(ge=2)
    std_exponent: float = Field(ge=0, le=1)
    logit_scale: float = Field(gt=0)
    scale: float = Field(gt=0)
    position_scale: float = Field(ge=0)
    tags: int = Field(ge=0, le=64)
    tag_logit_scale: float = Field(gt=0)
    max_images: int = Field(ge=2)


def word_embeddings(words: Words, tokenizer: Tokenizer, decoder: Decoder) -> Tensor:
    """Embed each word, after a space, as the mean of its tokens' embeddings: float32 [v, d]."""
    table = decoder.embedding.weight.detach().float().cpu()
    token_ids = tokenizer.encode_all([f" {word}" for word in words.vocabulary])
    return torch.stack([table[ids].mean(0) for ids in token_ids])


def start(
    projector: Projector, features: Features, words: Words, embeddings: Tensor, settings: Align
) -> None:
    """Fill the projector's word head, tag head, word embeddings and position offsets.

    Word head: the tf-idf weights of each image's words are regressed on two pooled features, the
    plain and the saliency-weighted mean (`projector.global_pool`). The map is then applied to
    single features, as logits of a softmax over words. The logits of frequent words have larger
    standard deviations than those of rare ones, and would win everywhere; they are divided by
    their standard deviation to the power `std_exponent`. Position offsets: the saliency-weighted
    mean, over images, of the embedded words ("left", "top"). Tag head: whether a word occurs,
    times its inverse document frequency, is regressed on both means together. Of the features
    only the cells of the grid are used; the word head then reads extra tokens as it reads cells.

    Args: embeddings [v, d] of the vocabulary.

    Source: Hoerl and Kennard 1970, equation 2.1 (ridge); Merullo et al. 2023 for a linear map of the spaces.
    """
    images = np.linspace(0, len(words.ids) - 1, min(settings.max_images, len(words.ids))).round().astype(int)
    rows = [i for i in images if words.ids[i] in features.row]
    taken = torch.from_numpy(features.take([words.ids[i] for i in rows]))[:, :projector.cells]
    x = F.layer_norm(taken.float(), (features.width,))
    weights = _dense(words, rows)  # [n, v]
    pooled = global_pool(x)  # [n, 2w]
    if projector.tag_head is not None:
        _start_tag_head(projector.tag_head, pooled, weights > 0, settings)
    weights = _centred(weights)
    mean = x.mean((0, 1))
    word_head = _word_head(x - mean, pooled, weights, settings)
    saliency = saliency_weights(x)  # [n, k]
    table = settings.scale * embeddings
    offset = _centred(saliency.t() @ (weights @ table) / saliency.sum(0)[:, None])  # [k, d]
    with torch.no_grad():
        projector.word_head.weight.copy_(word_head.t())
        projector.word_head.bias.copy_(-(mean @ word_head))
        projector.words.weight.copy_(table.t())
        factor = settings.position_scale * table.std() / offset.std().clamp(min=1e-9)  # one position: std 0
        projector.position[:len(offset)] = offset * factor


def _word_head(x: Tensor, pooled: Tensor, weights: Tensor, settings: Align) -> Tensor:
    """Give the word head [w, v] for centred features [n, k, w], by regression on pooled features [n, 2w]."""
    means = _centred(pooled).chunk(2, dim=1)  # [n, w] each
    word_head = regress(torch.cat(means), weights.repeat(len(means), 1), settings.ridge)
    word_head = word_head / (x @ word_head).flatten(0, 1).std(0).clamp(min=1e-9) ** settings.std_exponent
    return word_head * (settings.logit_scale / (x @ word_head).std().clamp(min=1e-9))


def _dense(words: Words, rows: list[int]) -> Tensor:
    """Give the word weights of some images as a matrix [n, v]."""
    weights = torch.zeros(len(rows), len(words.vocabulary))
    for row, image in enumerate(rows):
        for word, weight in words.weights[image].items():
            weights[row, word] = weight
    return weights


def _start_tag_head(tag_head: nn.Linear, pooled: Tensor, occurs: Tensor, settings: Align) -> None:
    """Fill the tag head from pooled features [n, 2w] and `occurs`, the words of each image, bool [n, v]."""
    frequency = occurs.float().mean(0)  # document frequency as a share of the images
    idf = -frequency.clamp(min=1 / len(occurs)).log()
    target = _centred(occurs.float()) * idf
    weight = settings.tag_logit_scale * regress(_centred(pooled), target, settings.ridge)
    with torch.no_grad():
        tag_head.weight.copy_(weight.t())
        tag_head.bias.copy_(settings.tag_logit_scale * frequency * idf - pooled.mean(0) @ weight)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve the ridge regression of y [n, d] on x [n, w] without intercept: coefficients [w, d].

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    gram = (x.t() @ x).double()
    penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + penalty, (x.t() @ y).double()).float()


BARE = "connector"  # the method that attaches nothing: the checkpoint is loaded as one of this method


def write_start(task: str, settings: Align) -> None:
    """Align the projector in closed form, and write it as a checkpoint without trained decoder parameters.

    Raises:
        InputError: there are no texts to align with, or too few different words in them.
    """
    deterministic()
    features = Features(FEATURES, "train")
    words = tf_idf(start_texts(task), settings.words)
    sizes = (features.tokens, features.width, len(words.vocabulary), settings.tags)
    vlm = checkpoint.build(DECODER, *sizes, torch.float32, features.tokens - features.cells)
    embeddings = word_embeddings(words, Tokenizer(DECODER), vlm.decoder)
    start(vlm.projector, features, words, embeddings, settings)
    checkpoint.write(checkpoint_folder(START, task, 0), checkpoint.tensors_of(vlm, []), {
        "method": START, "attach": BARE, "task": task, "seed": 0, "step": 0,
        "settings": {"learning_rate": 0.0, "projector_learning_rate": 0.0},
        "params": fingerprint(settings.model_dump()), "base": checkpoint.base_of(DECODER, features.signature),
        "trained_parameters": 0, "trained_share": 0.0,
        "projector_parameters": sum(p.numel() for p in vlm.projector.parameters()),
    })


WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Words:
    """A vocabulary, and for each image the weights of its captions' words by index; they sum to 1."""

    vocabulary: list[str]
    ids: list[int | str]
    weights: list[dict[int, float]]


def tf_idf(captions: Captions, most: int) -> Words:
    """Weight each word of an image's captions by tf-idf, where a document is the captions of an image.

    `captions` may hold other texts of images, such as questions with answers.
    Words of half of all images or more (articles, "on", "background") are stop words; of the others, the
    `most` frequent are kept.

    Source: Sparck Jones 1972 for inverse document frequency.
    """
    per_image = {image_id: Counter(word for text in texts for word in WORD.findall(text.lower()))
                 for image_id, texts in captions.by_image().items()}
    frequency = Counter(word for words in per_image.values() for word in words)
    content = [word for word, count in sorted(frequency.items())
               if count < len(per_image) / 2 or len(per_image) < 3]
    vocabulary = sorted(sorted(content, key=frequency.__getitem__, reverse=True)[:most])
    if len(vocabulary) < 2:
        raise InputError(
            f"the texts of {len(per_image)} training images have {len(vocabulary)} words that fewer than "
            "half of the images have; expected at least 2 to align the projector with"
        )
    index = {word: i for i, word in enumerate(vocabulary)}
    weights = []
    for words in per_image.values():
        raw = {index[w]: n * math.log(len(per_image) / frequency[w]) for w, n in words.items() if w in index}
        total = sum(raw.values()) or 1.0
        weights.append({i: value / total for i, value in raw.items()})
    return Words(vocabulary, list(per_image), weights)
