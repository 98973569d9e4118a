"""Greedy and beam decoding in batches, with a key/value cache.

Shapes: b inputs, n beams, t tokens of an input, d width, v vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vltune.model.attention import Cache
from vltune.model.decoder import Decoder

NEVER = float("-inf")
PORTION = 16  # rows of logits that are normalised together


@torch.inference_mode()
def generate(
    decoder: Decoder, x: Tensor, valid: Tensor, end: int, beams: int, length_penalty: float,
    max_new_tokens: int, cache: Cache | None = None
) -> list[list[int]]:
    """Continue each input with the most likely hypothesis of a beam search; one beam is greedy decoding.

    The score of a finished hypothesis is its log-probability divided by length ** length_penalty, where the
    length includes the end token; a hypothesis of max_new_tokens tokens counts as finished. The search of an
    input stops when its best running hypothesis, scored at its present length, is no better than its best
    finished one (transformers: than the worst of n finished ones, so it searches longer).

    Args: x, embeddings [b, t, d], padded on the left; valid, bool [b, t], False for padding; end, the id of
        the end token; cache, keys and values of the tokens before x, with capacity for t + max_new_tokens
        more.
    Returns: the token ids of each input's hypothesis, without the end token.

    Source: Wu et al. 2016, section 7, for length-normalised beam search (here with a plain power).
    """
    b, t, _ = x.shape
    cache = cache or Cache(t + max_new_tokens)
    hidden, valid = read(decoder, x, valid, cache)
    if beams > 1:
        cache = cache.repeated(beams, cache.length + max_new_tokens)
        valid = valid.repeat_interleave(beams, 0)  # [b * n, s]
    search = Search(b, beams, end, length_penalty, max_new_tokens, x.device)
    while True:
        rows = search.extend(decoder.logits(hidden))
        if rows is None:
            return search.best()
        if beams > 1 or len(rows) < len(valid):
            cache.select(rows)
            valid = valid[rows]
        seen = torch.cat((valid, valid.new_ones(len(valid), 1)), dim=1)
        embedded = decoder.embed(search.tokens[:, -1:], x.dtype)
        hidden = decoder(embedded, (seen.sum(1, keepdim=True) - 1), seen[:, None, None], cache)[:, -1]
        valid = seen


def read(decoder: Decoder, x: Tensor, valid: Tensor, cache: Cache) -> tuple[Tensor, Tensor]:
    """Run the decoder on prompts, embeddings [b, t, d] padded on the left, after the tokens in the cache.

    Returns: the hidden state [b, d] of each last token, and which tokens of the cache are no padding, bool
        [b, s].
    """
    before = cache.length
    positions = before + (valid.cumsum(1) - 1).clamp(min=0)
    mask = F.pad(_prompt_mask(valid), (before, 0), value=True)
    return decoder(x, positions, mask, cache)[:, -1], F.pad(valid, (before, 0), value=True)


def _prompt_mask(valid: Tensor) -> Tensor:
    t = valid.shape[1]
    causal = torch.ones(t, t, dtype=torch.bool, device=valid.device).tril()
    itself = torch.eye(t, dtype=torch.bool, device=valid.device)  # no empty row for padding
    return (causal & valid[:, None, :] | itself)[:, None]


def _most_likely(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Give the log-probabilities and the ids of the most likely tokens, both [b, count], from logits [b, v].

    Rows are taken a few at a time, so that their float32 copies stay in the processor's cache.
    """
    parts = []
    for part in logits.split(PORTION):
        values, tokens = part.topk(min(count, part.shape[1]), dim=1)
        parts.append((values.float() - part.float().logsumexp(1, keepdim=True), tokens))
    return torch.cat([values for values, _ in parts]), torch.cat([tokens for _, tokens in parts])


def _without_gaps(still_open: Tensor) -> Tensor:
    """Give the indices of the True, int64 [r'], the last of them in the places of the False before."""
    count = int(still_open.sum())
    indices = torch.arange(len(still_open), device=still_open.device)
    kept = indices[:count].clone()
    kept[~still_open[:count]] = indices[count:][still_open[count:]]
    return kept


class Search:
    """State of a beam search: n running hypotheses of each open input, the best finished one of each."""

    def __init__(
        self, inputs: int, beams: int, end: int, length_penalty: float, max_new_tokens: int,
        device: torch.device
    ) -> None:
        self.n, self.end, self.penalty, self.limit = beams, end, length_penalty, max_new_tokens
        self.running = torch.arange(inputs, device=device)  # [r], the open inputs
        self.tokens = torch.zeros(inputs * beams, 0, dtype=torch.int64, device=device)
        first = [0.0] + [NEVER] * (beams - 1)  # all beams are equal at the start, so only one is extended
        self.scores = torch.tensor(first, device=device).repeat(inputs, 1)  # [r, n]
        self.finished: list[tuple[float, list[int]]] = [(NEVER, [])] * inputs

    def extend(self, logits: Tensor) -> Tensor | None:
        """Extend every running hypothesis by one token, and remove the inputs that are then finished.

        The last of the other inputs take their rows, so that few rows move.

        Args: logits of the next token, [r * n, v]; of the first token also [r, v], as all beams are equal.
        Returns: the row that each new hypothesis extends, int64 [r' * n]; None when the search has ended.
        """
        length = self.tokens.shape[1] + 1
        r = len(self.running)
        likely, tokens = _most_likely(logits, 2 * self.n)  # [r * n, 2n]: more of a hypothesis is never taken
        if len(likely) < r * self.n:
            likely, tokens = (part.repeat_interleave(self.n, 0) for part in (likely, tokens))
        choices = likely.shape[1]  # fewer, where the vocabulary is smaller
        totals = self.scores[..., None] + likely.view(r, self.n, choices)
        best, index = totals.flatten(1).topk(2 * self.n, dim=1)  # at most n of them can be ends
        row = index // choices + self.n * torch.arange(r, device=index.device)[:, None]
        token = tokens.view(r, -1).gather(1, index)
        ended = token == self.end
        finished = ended & (best > NEVER)
        finished[:, self.n:] = False  # an end token counts only among the n best continuations
        self._finish(finished, best, row, length)
        if self.n == 1:
            best = best.masked_fill(finished.any(1, keepdim=True), NEVER)  # greedy: the first end ends it
        order = torch.argsort(ended.int(), dim=1, stable=True)[:, : self.n]  # the best unfinished, by score
        scores = best.masked_fill(ended, NEVER).gather(1, order)
        still_open = self._may_win(scores[:, 0], length)  # [r]
        rows, tokens = row.gather(1, order), token.gather(1, order)  # [r, n]
        if length == self.limit:
            self.tokens = torch.cat((self.tokens[rows.flatten()], tokens.view(-1, 1)), dim=1)
            own_rows = torch.arange(r * self.n, device=row.device).view(r, self.n)
            self._finish(scores > NEVER, scores, own_rows, length)
            return None
        kept = _without_gaps(still_open)
        self.running, self.scores = self.running[kept], scores[kept]
        rows, tokens = rows[kept].flatten(), tokens[kept]
        self.tokens = torch.cat((self.tokens[rows], tokens.view(-1, 1)), dim=1)
        return rows if len(rows) else None

    def _finish(self, finished: Tensor, totals: Tensor, row: Tensor, length: int) -> None:
        for i, j in finished.nonzero().tolist():
            score, owner = totals[i, j].item() / length**self.penalty, self.running[i]
            if score > self.finished[owner][0]:
                self.finished[owner] = (score, self.tokens[row[i, j]].tolist())

    def _may_win(self, best: Tensor, length: int) -> Tensor:
        """Mark the inputs whose best running hypothesis, of log-probability `best` [r], may still win."""
        finished = torch.tensor([self.finished[i][0] for i in self.running.tolist()], device=best.device)
        return best / length**self.penalty > finished

    def best(self) -> list[list[int]]:
        """Give the best finished hypothesis of each input."""
        return [tokens for _, tokens in self.finished]
