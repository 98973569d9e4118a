"""How fast a method generates: with its modules attached, and merged into the decoder where that is possible.

Times do not repeat, so they have a file of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from vltune.methods import checkpoint
from vltune.model.decoder import Decoder
from vltune.model.vision_language import VisionLanguageModel
from vltune.pipeline import paths
from vltune.pipeline.files import read_json, write_json
from vltune.pipeline.tasks import joined

Generate = Callable[[VisionLanguageModel], list[str]]  # captions of some images, or answers about them


def merged(
    vlm: VisionLanguageModel, base: Decoder, open_again: Callable[[], VisionLanguageModel], folder: Path
) -> VisionLanguageModel | None:
    """Give the model with a plain decoder: itself if nothing is attached to its decoder, a second one that
    the method has merged, or None if the method cannot be merged.

    Args: base, the decoder without the method; open_again, gives the second one; folder, of its checkpoint.
    """
    if _plain(vlm.decoder, base):
        return vlm
    second = open_again()
    checkpoint.settings_in(read_json(folder / "checkpoint.json"), folder).merge(second.decoder)
    return second.to(base.embedding.weight.device) if _plain(second.decoder, base) else None


def _plain(decoder: Decoder, base: Decoder) -> bool:
    return set(decoder.state_dict()) == set(base.state_dict())


def write(
    attached: VisionLanguageModel, merged: VisionLanguageModel | None, timed: Mapping[str, Generate],
    run: tuple[str, str, int]
) -> None:
    """Write data/speed/METHOD/TASK-SEED.json: texts a second, attached and merged (None if it cannot be).

    Args: timed, what generates some texts, by task; run, method, task and seed.
    """
    measured = {}
    for task, generate in timed.items():
        texts, rate = texts_per_second(attached, generate)
        both = rate if merged is attached else merged and texts_per_second(merged, generate)[1]
        measured[task] = {"texts": texts, "attached_per_second": rate, "merged_per_second": both}
    write_json(paths.speed(*run), joined(measured))


def texts_per_second(vlm: VisionLanguageModel, generate: Generate) -> tuple[int, float]:
    """Generate, and give how many texts, and how many a second."""
    start = time.perf_counter()
    texts = len(generate(vlm))
    if vlm.decoder.embedding.weight.device.type == "cuda":
        torch.cuda.synchronize()
    return texts, round(texts / (time.perf_counter() - start), 2)
