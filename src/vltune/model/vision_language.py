"""Projector and decoder together: image features and text in, scores of the text's tokens out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vltune.model.decoder import Decoder
from vltune.model.projector_interface import Projector


@dataclass(frozen=True)
class Template:
    """Token ids of a chat form: before the image tokens, behind them, and between question and answer."""

    before: Sequence[int] = ()
    behind: Sequence[int] = ()
    suffix: Sequence[int] = ()


class VisionLanguageModel(nn.Module):
    """A language model that reads image tokens in front of its text."""

    def __init__(
        self, projector: Projector, decoder: Decoder, dtype: torch.dtype, template: Template | None = None
    ) -> None:
        """Join the two; `dtype` is the precision that the decoder computes in, `template` none by default."""
        super().__init__()
        self.template = template or Template()
        self.projector, self.decoder, self.dtype = projector, decoder, dtype
        self.cross = getattr(projector, "cross", None)
        # past nn.Module, which would count the projector's modules as the decoder's
        vars(decoder)["fusion"] = self.cross

    def embed_images(self, features: Tensor) -> Tensor:
        """Map image features [b, k, w] to what precedes the text, [b, m, d] in the compute precision:
        the embeddings of the prompt site, if a method has put some there, the image tokens, between those of
        the template, and with cross-attention, before which images stand apart, the start of a text.
        """
        images = self.projector(features)
        if self.cross is not None:
            start = self.cross.start.expand(len(images), 1, -1)
            images = torch.cat((images, start), dim=1)
        images = images.to(self.dtype)
        if self.template != Template():
            before, behind = (
                self._embedded(ids, images) for ids in (self.template.before, self.template.behind))
            parts = (before, images, behind) if self.cross is None else (images, before, behind)
            images = torch.cat(parts, dim=1)
        return self.decoder.prompt(images)

    def _embedded(self, ids: Sequence[int], images: Tensor) -> Tensor:
        tokens = torch.tensor([list(ids)], dtype=torch.int64, device=images.device)
        return self.decoder.embed(tokens, self.dtype).expand(len(images), -1, -1)

    @property
    def image_tokens(self) -> int:
        """The number m of positions in front of the text."""
        start = 0 if self.cross is None else 1
        template = len(self.template.before) + len(self.template.behind)
        return self.decoder.prompt.length + self.projector.tokens + start + template

    @property
    def image_positions(self) -> range:
        """The positions of the image tokens themselves."""
        start = self.decoder.prompt.length + (len(self.template.before) if self.cross is None else 0)
        return range(start, start + self.projector.tokens)

    @property
    def sink(self) -> bool:
        """Whether the first image token is the first position that texts look at, which collects attention
        whatever it holds. Cross-attention has no such position."""
        return self.cross is None and not self.image_positions.start

    def forward(
        self, features: Tensor, tokens: Tensor, positions: Tensor, mask: Tensor, sources: Tensor
    ) -> Tensor:
        """Score the vocabulary at the chosen positions.

        Args: features [b, k, w]; tokens, int64 [b, t]; positions, int64 [b, m + t], where m is
            `image_tokens`; mask, bool [b, 1, m + t, m + t]; sources, int64 [n], positions in the flattened
            [b * (m + t)] whose next token is scored.
        Returns: logits [n, vocabulary] in the compute precision.
        """
        images, text = self.embed_images(features), self.decoder.embed(tokens, self.dtype)
        x = torch.cat((images, text), dim=1)  # [b, m + t, d]
        hidden = self.decoder(x, positions, mask)
        return self.decoder.logits(hidden.flatten(0, 1)[sources])
