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


@torch.inference_mode()
def generate(
    decoder: Decoder, x: Tensor, valid: Tensor, end: int, beams: int, length_penalty: float, max_new_tokens: int,
    cache: Cache | None = None
) -> list[list[int]]:
    """Continue each input with the most likely text that beam search finds; one beam is greedy decoding.

    A finished text's score is its log-probability divided by length ** length_penalty, its end token counted; a text
    that reaches max_new_tokens counts as finished. An input leaves the batch when its best running text, were it to end
    now, would score no more than its best finished one (what transformers does unless told otherwise).

    Args: x, embeddings [b, t, d], padded on the left; valid, bool [b, t], False for padding; end, the id that ends a text;
        cache, what stands before x in each row, with room for t + max_new_tokens more.
    Returns: for each input the token ids, without the end.

    Source: Wu et al. 2016, section 7, for length-normalised beam search (here in the form of a plain power).
    """
    b, t, _ = x.shape
    cache = cache or Cache(t + max_new_tokens)
    hidden, valid = read(decoder, x, valid, cache)
    cache.select(torch.arange(b, device=x.device).repeat_interleave(beams))
    valid = valid.repeat_interleave(beams, 0)  # [b * n, s]
    hidden = hidden.repeat_interleave(beams, 0)
    search = _Search(b, beams, end, length_penalty, max_new_tokens, x.device)
    while True:
        rows = search.extend(decoder.logits(hidden).float().log_softmax(-1))
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
    """Read prompts, embeddings [b, t, d] padded on the left, behind what the cache holds.

    Returns: the hidden state [b, d] of each last token, and which tokens of the cache count, bool [b, s].
    """
    before = cache.length
    positions = before + (valid.cumsum(1) - 1).clamp(min=0)
    mask = F.pad(_prompt_mask(valid), (before, 0), value=True)
    return decoder(x, positions, mask, cache)[:, -1], F.pad(valid, (before, 0), value=True)


def _prompt_mask(valid: Tensor) -> Tensor:
    t = valid.shape[1]
    back = torch.ones(t, t, dtype=torch.bool, device=valid.device).tril()
    itself = torch.eye(t, dtype=torch.bool, device=valid.device)  # padding sees itself: no empty row in the softmax
    return (back & valid[:, None, :] | itself)[:, None]


class _Search:
    """The bookkeeping of beam search: n running texts of each input that is not done, and every input's best finished text."""

    def __init__(
        self, inputs: int, beams: int, end: int, length_penalty: float, max_new_tokens: int, device: torch.device
    ) -> None:
        self.n, self.end, self.penalty, self.limit = beams, end, length_penalty, max_new_tokens
        self.running = torch.arange(inputs, device=device)  # [r], the inputs that are not done
        self.tokens = torch.zeros(inputs * beams, 0, dtype=torch.int64, device=device)
        first = [0.0] + [NEVER] * (beams - 1)  # all beams are equal at the start: only one may run
        self.scores = torch.tensor(first, device=device).repeat(inputs, 1)  # [r, n]
        self.finished: list[tuple[float, list[int]]] = [(NEVER, [])] * inputs

    def extend(self, log_probabilities: Tensor) -> Tensor | None:
        """Add one token to every running text, and drop the inputs that are then done.

        Args: log_probabilities [r * n, v] of the next token.
        Returns: for each new running text the row that it continues, int64 [r' * n]; None when the search is over.
        """
        length = self.tokens.shape[1] + 1
        r, vocabulary = len(self.running), log_probabilities.shape[-1]
        totals = self.scores[..., None] + log_probabilities.view(r, self.n, vocabulary)
        best, place = totals.flatten(1).topk(self.n + self.n, dim=1)  # 2n: at most n of them can be ends
        word, row = place % vocabulary, place // vocabulary + self.n * torch.arange(r, device=place.device)[:, None]
        ended = word == self.end
        counted = ended & (best > NEVER)
        counted[:, self.n:] = False  # an end counts if it is among the n best, as everywhere
        self._finish(counted, best, row, length)
        if self.n == 1:
            best = best.masked_fill(counted.any(1, keepdim=True), NEVER)  # greedy: the first end is the end
        order = torch.argsort(ended.int(), dim=1, stable=True)[:, : self.n]  # the best that go on, still in order
        scores = best.masked_fill(ended, NEVER).gather(1, order)
        going = self._going(scores[:, 0], length)  # [r]
        rows, words = row.gather(1, order), word.gather(1, order)  # [r, n]
        if length == self.limit:
            self.tokens = torch.cat((self.tokens[rows.flatten()], words.view(-1, 1)), dim=1)
            self._finish(scores > NEVER, scores, torch.arange(r * self.n, device=row.device).view(r, self.n), length)
            return None
        self.running, self.scores, rows, words = self.running[going], scores[going], rows[going].flatten(), words[going]
        self.tokens = torch.cat((self.tokens[rows], words.view(-1, 1)), dim=1)
        return rows if len(rows) else None

    def _finish(self, which: Tensor, totals: Tensor, row: Tensor, length: int) -> None:
        for i, j in which.nonzero().tolist():
            score, owner = totals[i, j].item() / length**self.penalty, self.running[i]
            if score > self.finished[owner][0]:
                self.finished[owner] = (score, self.tokens[row[i, j]].tolist())

    def _going(self, best: Tensor, length: int) -> Tensor:
        """Say for each running input whether its best running text, of log-probability `best` [r], may still win."""
        done = torch.tensor([self.finished[i][0] for i in self.running.tolist()], device=best.device)
        return best / length**self.penalty > done

    def best(self) -> list[list[int]]:
        """Give the best finished text of each input."""
        return [tokens for _, tokens in self.finished]
