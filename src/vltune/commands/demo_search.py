"""Greedy decoding and beam search of an image together, a token at a time.

A decoder of batch one spends its time on reading its weights. Read for the beams, they serve the greedy
hypothesis too, so that a text can be shown while the beams are searched, at almost no cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from vltune.model.attention import Cache
from vltune.model.decoder import Decoder
from vltune.prediction.generate import Search, read


@torch.inference_mode()
def stream(
    decoder: Decoder, x: Tensor, end: int, widths: Sequence[int], length_penalty: float, max_new_tokens: int
) -> Iterator[tuple[list[int], list[int] | None]]:
    """Continue an input by several searches at once; give after each step the token ids of the first search,
    and at the end, beside them, those of the last search.

    Each search gives what `generate` gives, up to rounding: in half precision the last digits of a logit
    depend on the number of rows.

    Args: x, embeddings [1, t, d]; end, the id of the end token; widths, the beams of each search (1 is
        greedy).
    """
    cache = Cache(x.shape[1] + max_new_tokens)
    hidden, _ = read(decoder, x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device), cache)
    searches = [Search(1, n, end, length_penalty, max_new_tokens, x.device) for n in widths]
    cache = cache.repeated(sum(widths), cache.length + max_new_tokens)
    hidden, running = hidden.repeat_interleave(sum(widths), 0), searches
    while True:
        running, rows = _extend(running, decoder.logits(hidden))
        ids = searches[0].tokens[0].tolist() if searches[0] in running else searches[0].best()[0]
        if not running:
            break
        yield ids, None
        cache.select(rows)
        tokens = torch.cat([search.tokens[:, -1:] for search in running])  # [r, 1]
        mask = torch.ones(len(tokens), 1, 1, cache.length + 1, dtype=torch.bool, device=x.device)
        embedded = decoder.embed(tokens, x.dtype)
        hidden = decoder(embedded, torch.full_like(tokens, cache.length), mask, cache)[:, -1]
    yield ids, searches[-1].best()[0]


def _extend(searches: Sequence[Search], logits: Tensor) -> tuple[list[Search], Tensor]:
    """Extend searches by one token, given the logits [r, v] of all their rows.

    Returns: those that go on, and the row that each of their rows extends, int64 [r'].
    """
    running, rows, first = [], [logits.new_empty(0, dtype=torch.int64)], 0
    for search in searches:
        extended = search.extend(logits[first:first + search.n])
        if extended is not None:
            running.append(search)
            rows.append(first + extended)
        first += search.n
    return running, torch.cat(rows)
