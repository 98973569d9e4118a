"""Connector and decoder together: image features and text in, scores of the text's tokens out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vltune.model.decoder import Decoder
from vltune.model.projector import Projector


class VisionLanguageModel(nn.Module):
    """A language model that reads image tokens in front of its text."""

    def __init__(self, projector: Projector, decoder: Decoder, dtype: torch.dtype) -> None:
        """Join the two; `dtype` is the precision that the decoder computes in."""
        super().__init__()
        self.projector, self.decoder, self.dtype = projector, decoder, dtype

    def embed_images(self, features: Tensor) -> Tensor:
        """Map image features [b, k, w] to the beginning of a sequence [b, m, d] in the compute precision: image tokens, behind the
        embeddings of the decoder's prompt site."""
        return self.decoder.prompt(self.projector(features).to(self.dtype))

    @property
    def image_tokens(self) -> int:
        """The number m of positions in front of the text."""
        return self.decoder.prompt.length + self.projector.tokens

    def forward(self, features: Tensor, tokens: Tensor, positions: Tensor, mask: Tensor, sources: Tensor) -> Tensor:
        """Score the vocabulary at the chosen places.

        Args: features [b, k, w]; tokens, int64 [b, t]; positions, int64 [b, k + t]; mask, bool [b, 1, k + t, k + t];
            sources, int64 [n], places in the flattened [b * (k + t)] whose next token is asked for.
        Returns: logits [n, vocabulary] in the compute precision.
        """
        x = torch.cat((self.embed_images(features), self.decoder.embed(tokens, self.dtype)), dim=1)  # [b, k + t, d]
        hidden = self.decoder(x, positions, mask)
        return self.decoder.logits(hidden.flatten(0, 1)[sources])
