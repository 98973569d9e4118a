"""What the report shows of each task: the one place that knows a task's metrics and controls."""

from __future__ import annotations

from dataclasses import dataclass

from vltune.metrics.interface import caption_metrics, image_metrics, scene_metrics
from vltune.metrics.vqa import TRUTH
from vltune.pipeline.questions import ANSWER_TYPES


@dataclass(frozen=True)
class Control:
    """A system that does not see the image: its name in results
    files, its column in comparison.csv, its name for people."""

    name: str
    column: str
    label: str


@dataclass(frozen=True)
class Task:
    """What results files of a task hold, and what tables and charts show of it."""

    metrics: tuple[str, ...]  # the main one, of charts and verdicts, first
    optional: tuple[str, ...]  # those of them that results may lack
    listed: tuple[str, ...]  # those that comparison.md shows beside the main one
    controlled: tuple[str, ...]  # those that controls have
    blind: tuple[Control, ...]  # each run's own controls; charts mark the first
    baseline: Control | None  # a control that is the same for all runs
    parts: tuple[str, ...]  # what a results file holds beside metrics, controls and sizes
    per_image: tuple[str, ...]  # what it holds of each image, for intervals over seeds and verdicts
    diversity: tuple[str, ...]
    explained: str

    @property
    def main(self) -> str:
        """The metric of charts and verdicts."""
        return self.metrics[0]

    @property
    def controls(self) -> tuple[Control, ...]:
        """All controls."""
        return self.blind + ((self.baseline,) if self.baseline else ())


FURTHER = (*image_metrics(), *scene_metrics())  # of captions, where CLIP or the data set has what they need
TASKS = {
    "caption": Task(
        metrics=tuple(name for metric in (*caption_metrics(), *FURTHER) for name in metric.values),
        optional=tuple(name for metric in FURTHER for name in metric.values),
        listed=tuple(name for metric in (*caption_metrics()[1:], *FURTHER) for name in metric.listed),
        controlled=caption_metrics()[0].values, blind=(Control("other_image", "blind_CIDEr", "blind CIDEr"),),
        baseline=None, parts=("diversity",),
        per_image=("images", *(metric.key for metric in caption_metrics())),
        diversity=("distinct-1", "distinct-2", "vocabulary", "unique_share", "novel_share", "mean_length"),
        explained="CIDEr is not multiplied by 100. Blind: with another image's features.",
    ),
    "vqa": Task(
        metrics=("accuracy", *ANSWER_TYPES, TRUTH),
        optional=(*ANSWER_TYPES, TRUTH),
        listed=(*ANSWER_TYPES, TRUTH),
        controlled=("accuracy", *ANSWER_TYPES, TRUTH),
        blind=(
            Control("other_image", "blind_accuracy", "blind"),
            Control("mean_image", "mean_image_accuracy", "mean image"),
        ),
        baseline=Control("most_frequent", "most_frequent_accuracy", "most frequent answer"),
        parts=("question_types", "control_question_types"),
        per_image=("images", "questions", "right"),
        diversity=(),
        explained="Accuracy is VQAv2's, from 0 to 1. Blind: with another image's features; mean image: "
                  "with the mean features of all "
        "images; most frequent answer: that of the question's type in training.",
    ),
}
