"""Prompt tuning: trained embeddings in front of the image tokens; nothing inside the decoder changes.

They start as the embeddings of tokens drawn from the vocabulary.

Source: Lester et al. 2021, The Power of Scale for Parameter-Efficient Prompt Tuning, sections 2 and 2.1
(sampled vocabulary). Trained parameters: length * width.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from vltune.methods.interface import LogUniform, Method, PeftForm, Rates, dropout, replace
from vltune.model.decoder import Decoder, DecoderConfig


class PromptEmbeddings(nn.Module):
    """Embeddings [p, d] in front of every sequence."""

    def __init__(self, table: Tensor, length: int, rate: float, generator: torch.Generator) -> None:
        """Start with `length` rows of the embedding table, drawn without replacement where it has enough;
        `rate` is of dropout."""
        super().__init__()
        self.dropout = dropout(rate)
        rows = torch.randperm(len(table), generator=generator)[torch.arange(length) % len(table)]
        self.embeddings = nn.Parameter(table.detach()[rows.to(table.device)].float().clone())

    @property
    def length(self) -> int:
        """The number p of positions."""
        return len(self.embeddings)

    def forward(self, x: Tensor) -> Tensor:
        """Put the embeddings in front of [b, t, d]: [b, p + t, d]."""
        return torch.cat((self.dropout(self.embeddings.to(x.dtype).expand(len(x), -1, -1)), x), dim=1)


class Prompt(Method):
    """Section `prompt`: the number of positions."""

    learning_rate: Annotated[Rates, LogUniform(1e-3, 1e-1)]
    length: int = Field(ge=1, le=4096)

    SIZE: ClassVar = "length"
    STARTS_AS_BASE: ClassVar = False
    OWN_DROPOUT: ClassVar = True
    TINY: ClassVar = {"length": 3, "dropout": 0.0}
    PEFT: ClassVar = PeftForm(
        "PROMPT_TUNING", {"num_virtual_tokens": "length"}, {"embeddings": "prompt_embeddings"}
    )

    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:
        """Put the embeddings at the decoder's prompt site."""
        table = decoder.embedding.weight
        replace(decoder, "prompt", PromptEmbeddings(table, self.length, self.dropout, generator))
        return ["prompt.embeddings"]

    def count(self, config: DecoderConfig) -> int:
        """Count what is trained, by the formula above."""
        return self.length * config.width
