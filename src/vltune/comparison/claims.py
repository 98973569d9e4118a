"""Section `claims` of params.yaml: what is decided before the results are there. The report alone reads
it."""

from __future__ import annotations

from pydantic import Field

from vltune.comparison.tasks import TASKS
from vltune.pipeline.params import Section


class Claims(Section):
    """The largest difference in a task's main metric that does not matter; empty: nothing is called
    equivalent."""

    caption_margin: float | None = Field(gt=0)
    vqa_margin: float | None = Field(gt=0)

    def margin(self, task: str, metric: str) -> float | None:
        """Give the margin of a metric of a task; metrics other than the main one have none."""
        return getattr(self, f"{task}_margin") if metric == TASKS[task].main else None


NOTHING = Claims(caption_margin=None, vqa_margin=None)
