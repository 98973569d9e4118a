"""Section `claims` of params.yaml: what is decided before the results are there. The report alone reads
it."""

from __future__ import annotations

from pydantic import Field, field_validator

from vltune.comparison.significance import Family
from vltune.comparison.tasks import TASKS
from vltune.pipeline.files import fingerprint
from vltune.pipeline.params import Section


class Claims(Section):
    """For each task its primary metric, and the largest difference in it that does not matter; empty: the
    task has no claims, or nothing is called equivalent. Which pairs are claimed, as `lora-full`; empty: all.
    With how many seeds; empty: any number.
    """

    caption_metric: str | None
    caption_margin: float | None = Field(gt=0)
    vqa_metric: str | None
    vqa_margin: float | None = Field(gt=0)
    pairs: list[str]
    seeds: int | None = Field(ge=1)

    @field_validator("caption_metric")
    @classmethod
    def _caption(cls, name: str | None) -> str | None:
        return _known("caption", name)

    @field_validator("vqa_metric")
    @classmethod
    def _vqa(cls, name: str | None) -> str | None:
        return _known("vqa", name)

    @field_validator("pairs")
    @classmethod
    def _pairs(cls, pairs: list[str]) -> list[str]:
        wrong = [pair for pair in pairs if len(set(pair.split("-"))) != 2 or pair.count("-") != 1]
        if wrong or len({frozenset(pair.split("-")) for pair in pairs}) < len(pairs):
            raise ValueError("expected pairs of different methods, each once, such as lora-full")
        return pairs

    def margin(self, task: str, metric: str) -> float | None:
        """Give the margin of a metric of a task; metrics other than the primary one have none."""
        return getattr(self, f"{task}_margin") if metric == getattr(self, f"{task}_metric") else None

    def family(self, task: str, metric: str, tasks: list[str]) -> Family | None:
        """Give the declared pairs of a metric of a task, where `tasks` are compared; None for a metric
        without claims."""
        if metric != getattr(self, f"{task}_metric"):
            return None
        claimed = [name for name in tasks if getattr(self, f"{name}_metric") is not None]
        pairs = [(first, second) for first, _, second in (pair.partition("-") for pair in self.pairs)]
        return Family(pairs, len(claimed))

    def stage(self, seeds: int) -> str:
        """Say whether a comparison with this many seeds is what was declared: declared, interim (some seeds
        are missing), or exploratory (seeds were added after a look, or no number was declared)."""
        if self.seeds is None or seeds > self.seeds:
            return EXPLORATORY
        return DECLARED if seeds == self.seeds else INTERIM

    @property
    def hash(self) -> str:
        """Identify the claims: a hash of their keys and values."""
        return fingerprint(self.model_dump())


def _known(task: str, name: str | None) -> str | None:
    if name is not None and name not in TASKS[task].metrics:
        raise ValueError(f"expected a metric of the task: {', '.join(TASKS[task].metrics)}")
    return name


DECLARED, INTERIM, EXPLORATORY = "declared", "interim", "exploratory"
NOTHING = Claims(
    caption_metric=None, caption_margin=None, vqa_metric=None, vqa_margin=None, pairs=[], seeds=None)
