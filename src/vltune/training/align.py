"""The closed-form start of the projector: image tokens made of the words of the captions.

A random projector gives the decoder noise, and it learns the form of captions while it ignores the image for hundreds
of steps. The start costs seconds: ridge regression of each image's words on its features.
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

from vltune.data.features import Features
from vltune.data.tokenizer import Tokenizer
from vltune.methods import checkpoint
from vltune.model.decoder import Decoder
from vltune.model.precision import deterministic
from vltune.model.projector import Projector, global_pool, saliency_weights
from vltune.pipeline.files import fingerprint
from vltune.pipeline.params import Section
from vltune.pipeline.paths import DECODER, FEATURES, RAW, START
from vltune.pipeline.paths import checkpoint as checkpoint_folder
from vltune.pipeline.records import Captions, read_captions


class Align(Section):
    """Section `align`: the ridge penalty (a share of the features' mean variance), how many words an image token may be made
    of, how evenly frequent and rare ones are read (0 as the regression gives them, 1 all with the same spread), the spread of
    their scores before the softmax (the larger, the more a token is a single word), how much larger the words are than in a
    text, how large beside them the offsets of the places are, how many tags an image has (0 is none), the sharpness of their
    scores, and the images' number."""

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
    """Embed each word of a vocabulary as the mean of its tokens' embeddings, a space in front: float32 [v, d]."""
    table = decoder.embedding.weight.detach().float().cpu()
    return torch.stack([table[ids].mean(0) for ids in tokenizer.encode_all([f" {word}" for word in words.vocabulary])])


def start(projector: Projector, features: Features, words: Words, embeddings: Tensor, settings: Align) -> None:
    """Fill the projector's reader and tagger, its words and its table of places.

    Each image's words, weighed, are regressed on two means of its features (`projector.gist`). The map then serves each
    feature by itself: its scores of the words are what the softmax is taken of. A frequent word's scores are spread more than
    a rare one's, and only they would be read; `evenness` is the power of the spread by which scores are divided. The offset
    of a place is the mean of what is said of the images whose things are there ("left", "top", of the corners "four"). For
    tags the two means side by side tell whether a word is said at all, in units of its inverse document frequency.

    Args: embeddings [v, d] of the vocabulary.

    Source: Hoerl and Kennard 1970, equation 2.1 (ridge); Merullo et al. 2023 for a linear map between the two spaces.
    """
    chosen = np.linspace(0, len(words.ids) - 1, min(settings.max_images, len(words.ids))).round().astype(int)
    known = [i for i in chosen if words.ids[i] in features.row]
    x = F.layer_norm(torch.from_numpy(features.take([words.ids[i] for i in known])).float(), (features.width,))  # [n, k, w]
    said = torch.zeros(len(known), len(words.vocabulary))
    for row, i in enumerate(known):
        for word, weight in words.weights[i].items():
            said[row, word] = weight
    whole = global_pool(x)  # [n, 2w]
    if projector.tag_head is not None:
        _start_tag_head(projector.tag_head, whole, said > 0, settings)
    said = _centred(said)  # [n, v]
    mean = x.mean((0, 1))
    seen = _centred(whole).chunk(2, dim=1)  # [n, w] each
    word_head = regress(torch.cat(seen), said.repeat(len(seen), 1), settings.ridge)  # [w, v]
    share = saliency_weights(x)
    x = x - mean
    word_head = word_head / (x @ word_head).flatten(0, 1).std(0).clamp(min=1e-9) ** settings.std_exponent
    word_head = word_head * (settings.logit_scale / (x @ word_head).std().clamp(min=1e-9))
    table = settings.scale * embeddings
    place = _centred(share.t() @ (said @ table) / share.sum(0)[:, None])  # [k, d]
    with torch.no_grad():
        projector.word_head.weight.copy_(word_head.t())
        projector.word_head.bias.copy_(-(mean @ word_head))
        projector.words.weight.copy_(table.t())
        size = settings.position_scale * table.std() / place.std().clamp(min=1e-9)  # a single place says nothing
        projector.position[:len(place)] = place * size


def _start_tag_head(tag_head: nn.Linear, whole: Tensor, said: Tensor, settings: Align) -> None:
    """Give the tagger its start: whole [n, 2w]; said, bool [n, v]."""
    share = said.float().mean(0)
    idf = -share.clamp(min=1 / len(said)).log()  # inverse document frequency
    weight = settings.tag_logit_scale * regress(_centred(whole), _centred(said.float()) * idf, settings.ridge)
    with torch.no_grad():
        tag_head.weight.copy_(weight.t())
        tag_head.bias.copy_(settings.tag_logit_scale * share * idf - whole.mean(0) @ weight)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


def regress(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Solve ridge regression of y [n, d] on x [n, w], as a map [w, d] without offset.

    Source: Hoerl and Kennard 1970, equation 2.1, the penalty in units of the mean variance of x.
    """
    gram = (x.t() @ x).double()
    penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + penalty, (x.t() @ y).double()).float()


BARE = "connector"  # the method that attaches nothing, for loading


def write_start(task: str, settings: Align) -> None:
    """Align the projector in closed form, and write it as a checkpoint that has trained nothing."""
    deterministic()
    features = Features(FEATURES, "train")
    words = tf_idf(read_captions(RAW / "captions_train.json"), settings.words)
    vlm = checkpoint.build(DECODER, features.tokens, features.width, len(words.vocabulary), settings.tags, torch.float32)
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
    """A vocabulary, and for each image the indices of its captions' words with their weights (they sum to 1)."""

    vocabulary: list[str]
    ids: list[int | str]
    weights: list[dict[int, float]]


def tf_idf(captions: Captions, most: int) -> Words:
    """Weigh each word of an image's captions by tf-idf, document frequencies counted over images.

    Words of half of all images or more (articles, "on", "background") tell nothing and get no weight; of the others the `most`
    frequent are kept.

    Source: Sparck Jones 1972 for inverse document frequency.
    """
    per_image = {i: Counter(word for text in texts for word in WORD.findall(text.lower()))
                 for i, texts in captions.by_image().items()}
    frequency = Counter(word for words in per_image.values() for word in words)
    telling = [word for word, count in sorted(frequency.items()) if count < len(per_image) / 2 or len(per_image) < 3]
    vocabulary = sorted(sorted(telling, key=frequency.__getitem__, reverse=True)[:most])
    index = {word: i for i, word in enumerate(vocabulary)}
    weights = []
    for words in per_image.values():
        raw = {index[w]: n * math.log(len(per_image) / frequency[w]) for w, n in words.items() if w in index}
        total = sum(raw.values()) or 1.0
        weights.append({i: value / total for i, value in raw.items()})
    return Words(vocabulary, list(per_image), weights)
