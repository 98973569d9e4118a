"""Projector and decoder together: image features and text in, scores of the text's tokens out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vltune.model.decoder import Decoder
from vltune.model.projector_interface import Projector


class VisionLanguageModel(nn.Module):
    """A language model that reads image tokens in front of its text."""

    def __init__(self, projector: Projector, decoder: Decoder, dtype: torch.dtype) -> None:
        """Join the two; `dtype` is the precision that the decoder computes in."""
        super().__init__()
        self.projector, self.decoder, self.dtype = projector, decoder, dtype
        self.cross = getattr(projector, "cross", None)
        # past nn.Module, which would count the projector's modules as the decoder's
        vars(decoder)["fusion"] = self.cross

    def embed_images(self, features: Tensor) -> Tensor:
        """Map image features [b, k, w] to what precedes the text, [b, m, d] in the compute precision:
        the embeddings of the prompt site, if a method has put some there, the image tokens, and with
        cross-attention the start of a text.
        """
        images = self.projector(features)
        if self.cross is not None:
            start = self.cross.start.expand(len(images), 1, -1)
            images = torch.cat((images, start), dim=1)
        return self.decoder.prompt(images.to(self.dtype))

    @property
    def image_tokens(self) -> int:
        """The number m of positions in front of the text."""
        start = 0 if self.cross is None else 1
        return self.decoder.prompt.length + self.projector.tokens + start

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
