"""What a method forgets: how far the decoder's next-token distribution, without an image, is from the base's.

The texts are those that the base itself writes from fixed prompts, or any other. A method's modules are
attached. Cross-attention belongs to the projector, and without an image it does not take part.

Shapes: r texts, t tokens of a row, q predicted tokens of all texts, d width, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vltune.data.batch import Text
from vltune.data.tokenizer import Tokenizer
from vltune.model.attention import Cache
from vltune.model.decoder import Decoder
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.files import write_json
from vltune.pipeline.params import Section
from vltune.pipeline.randomness import derive
from vltune.prediction.answer import embed_prompts
from vltune.prediction.attention import read as read_rows
from vltune.prediction.generate import read

PROMPTS = Path(__file__).with_name("prompts.txt")  # a prompt in each line
BATCH = 32  # texts that are read together
PORTION = 64  # tokens whose distributions are compared together
DIGITS = 8  # of a divergence in the file


class Costs(Section):
    """Section `costs`: the texts that the base writes, one from each of the first `prompts` prompts, their
    tokens and the seed of the draws; and how many images are captioned to measure the speed."""

    prompts: int = Field(ge=2, le=64)
    tokens: int = Field(ge=1)
    seed: int
    timed_images: int = Field(ge=1)


def write(
    vlm: VisionLanguageModel, base: Decoder, tokenizer: Tokenizer, run: tuple[str, str, int], settings: Costs
) -> None:
    """Write data/predictions/TASK-METHOD-SEED.forgetting.json: the divergence on each text that the base
    writes, a mean over its tokens (nats a token), and the bytes of the base decoder's weights.

    Args: run, method, task and seed.
    """
    texts = base_texts(base, tokenizer, settings, vlm.dtype)
    divergences = [sum(own) / len(own) for own in divergence(vlm.decoder, base, texts, vlm.dtype)]
    write_json(paths.predictions(*run).with_suffix(".forgetting.json"), {
        "settings": settings.model_dump(exclude={"timed_images"}),
        "base_bytes": (paths.DECODER / "model.safetensors").stat().st_size,
        "divergence": [round(value, DIGITS) for value in divergences],
    })


def base_texts(
    base: Decoder, tokenizer: Tokenizer, settings: Costs, dtype: torch.dtype
) -> list[Text]:
    """Let the base continue the prompts: the same texts for every run.

    The tokens are drawn from its whole distribution, without the end token, so that all texts are as long.
    """
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()[:settings.prompts]
    prompts = tokenizer.encode_all(lines)
    generator = torch.Generator().manual_seed(derive(settings.seed, "texts of the base"))
    drawn = sample(base, prompts, settings.tokens, tokenizer.end, dtype, generator)
    return [Text(prompt, target) for prompt, target in zip(prompts, drawn, strict=True)]


@torch.inference_mode()
def sample(
    decoder: Decoder, prompts: Sequence[Sequence[int]], count: int, end: int, dtype: torch.dtype,
    generator: torch.Generator
) -> list[list[int]]:
    """Draw `count` tokens behind each prompt, never the token `end`; the draws are made on the CPU."""
    x, valid = embed_prompts(decoder, prompts, dtype)
    cache = Cache(x.shape[1] + count)
    hidden, seen = read(decoder, x, valid, cache)
    drawn = torch.zeros(len(prompts), 0, dtype=torch.int64)
    while True:
        logits = decoder.logits(hidden).float()
        logits[:, end] = float("-inf")
        token = torch.multinomial(logits.softmax(-1).cpu(), 1, generator=generator)  # [r, 1]
        drawn = torch.cat((drawn, token), dim=1)
        if drawn.shape[1] == count:
            return drawn.tolist()
        seen = torch.cat((seen, seen.new_ones(len(seen), 1)), dim=1)
        embedded = decoder.embed(token.to(x.device), dtype)
        hidden = decoder(embedded, seen.sum(1, keepdim=True) - 1, seen[:, None, None], cache)[:, -1]


@torch.inference_mode()
def divergence(tuned: Decoder, base: Decoder, texts: Sequence[Text], dtype: torch.dtype) -> list[list[float]]:
    """Give for each token of each text's target, which has a token before it, the divergence of the tuned
    decoder's distribution Q of that token from the base's P, KL(P || Q) = sum of p (ln p - ln q), in nats.

    Source: Kullback and Leibler 1951, equation 2.4.
    """
    divergences = []
    with without_images(tuned):
        for start in range(0, len(texts), BATCH):
            batch = texts[start:start + BATCH]
            states = [_hidden(decoder, batch, dtype) for decoder in (base, tuned)]  # [q, d] each
            values: list[float] = []
            for ours, theirs in zip(*(state.split(PORTION) for state in states), strict=True):
                p, q = (decoder.logits(part).float().log_softmax(-1)
                        for decoder, part in ((base, ours), (tuned, theirs)))
                values += (p.exp() * (p - q)).sum(-1).tolist()
            remaining = iter(values)
            divergences += [[next(remaining) for _ in text.target] for text in batch]
    return divergences


def _hidden(decoder: Decoder, texts: Sequence[Text], dtype: torch.dtype) -> Tensor:
    """Read texts; give the hidden states [q, d] that predict the tokens of their targets."""
    device = decoder.embedding.weight.device
    ids = [torch.tensor([*text.prompt, *text.target], dtype=torch.int64) for text in texts]
    x = decoder.prompt(decoder.embed(pad_sequence(ids, batch_first=True).to(device), dtype))  # [r, t, d]
    before = decoder.prompt.length - 1
    places = [(row, before + len(text.prompt) + i) for row, text in enumerate(texts)
              for i in range(len(text.target))]
    rows, positions = torch.tensor(places, device=device).T
    return read_rows(decoder, x, torch.arange(x.shape[1], device=device).expand(len(x), -1))[rows, positions]


@contextmanager
def without_images(decoder: Decoder) -> Iterator[None]:
    """Let the decoder read text alone: without the cross-attention of its projector, if it has some."""
    fusion = decoder.fusion
    vars(decoder)["fusion"] = None
    try:
        yield
    finally:
        vars(decoder)["fusion"] = fusion
