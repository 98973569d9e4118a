"""What a data set that is read may be like, and how it is split where it does not say so itself."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from vltune.pipeline.params import Section
from vltune.pipeline.randomness import derive

RANGE = 2.0**63  # of `derive`


class Rules(Section):
    """The keys of section `fetch` that all readers share.

    val_share, test_share: the shares of images that become val and test by a hash, where the data set has no
    such split. max_uncaptioned_share: the share of a split's images that may lack a caption, if others of the
    split have one. shared_images: whether an image may be in several splits, with other questions in each.
    """

    val_share: float = Field(gt=0, lt=1)
    test_share: float = Field(gt=0, lt=1)
    max_uncaptioned_share: float = Field(ge=0, le=1)
    shared_images: bool

    @field_validator("test_share")
    @classmethod
    def _leaves_train(cls, share: float, others: ValidationInfo) -> float:
        if share + others.data.get("val_share", 0) >= 1:
            raise ValueError("expected less than 1 together with val_share; no image is left for training")
        return share

    def split_of(self, image: str) -> str:
        """Give train, val or test for an image by a hash of its name: the same in every order and whatever
        other images there are."""
        position = derive(0, f"split of {image}") / RANGE
        if position < self.test_share:
            return "test"
        return "val" if position < self.test_share + self.val_share else "train"

    def split_of_training(self, image: str) -> str:
        """Give train or val for an image of a data set whose test split is given."""
        return "val" if derive(0, f"split of {image}") / RANGE < self.val_share else "train"
