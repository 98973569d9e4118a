"""What every projector has: from image features to the decoder's embedding space."""

from __future__ import annotations

from torch import nn


class Projector(nn.Module):
    """Maps features [b, k, w] to image tokens [b, k + t, d], in float32; t tags only where a kind has some.

    Shapes: b images, k features of an image (the cells of the grid, then extra tokens of the encoder), w
    feature width, t tags, d embedding width.
    """

    def __init__(self, feature_width: int, features: int, tags: int, extras: int) -> None:
        """Keep the sizes; the last `extras` of the `features` are no cells of the grid."""
        super().__init__()
        self.feature_width, self.features, self.tags = feature_width, features, tags
        self.extras, self.cells = extras, features - extras

    @property
    def tokens(self) -> int:
        """The number of image tokens, k + t."""
        return self.features + self.tags
