"""The training images that a start is fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vltune.data.features import Features


def spread(ids: Sequence[int | str], features: Features, most: int) -> list[int]:
    """Take at most `most` of some images, at equal distances, that have features: their indices in `ids`."""
    images = np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int)
    return [i for i in images if ids[i] in features.row]


def normalised(features: Features, ids: Sequence[int | str], cells: int) -> Tensor:
    """Give the features of some images' cells as a projector's norm gives them at the start, float32."""
    taken = torch.from_numpy(features.take(ids))[:, :cells]
    return F.layer_norm(taken.float(), (features.width,))
