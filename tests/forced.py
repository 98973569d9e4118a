"""Three tiny images with a text each, and a model with any method, to record attention with."""

from __future__ import annotations

from pathlib import Path

import torch

import repository
from vltune.data.batch import Text
from vltune.methods import checkpoint, interface
from vltune.model.cross_attention import Fusion
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline.params import check

TEXTS = [Text((5, 9), (3, 77, 20)), Text((), (8,)), Text((), (1, 40, 6, 2))]
FEATURES = torch.randn(3, 4, 32, generator=torch.Generator().manual_seed(1)).half()


def attached(tiny: Path, method: str, fusion: Fusion = "tokens") -> VisionLanguageModel:
    """A model with a method attached, whose trained parameters and projector are random."""
    rng = torch.Generator().manual_seed(2)
    vlm = checkpoint.build(tiny / "decoder", 4, 32, 5, 2, torch.float32, fusion=fusion).eval()
    settings = check(interface.method(method), method, repository.RATES | repository.SETTINGS[method])
    names = interface.attach(vlm.decoder, settings, rng)
    trained = interface.trained_parameters(vlm.decoder, names)
    with torch.no_grad():
        for parameter in [*trained.values(), *vlm.projector.parameters()]:
            parameter += 0.2 * torch.randn(parameter.shape, generator=rng)
    return vlm
