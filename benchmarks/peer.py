"""The peer of the benchmarks: transformers on the weights that vltune uses."""

from __future__ import annotations

import transformers
from torch import Tensor

from vltune.pipeline.paths import DECODER


def language_model(tensors: dict[str, Tensor]) -> transformers.PreTrainedModel:
    """Build the repository's decoder in transformers, in float32, with `tensors` in transformers' names."""
    configuration = transformers.AutoConfig.from_pretrained(DECODER)
    model = transformers.AutoModelForCausalLM.from_config(configuration).float()
    model.load_state_dict(tensors, strict=False)  # the output layer is tied and has no tensor of its own
    return model
