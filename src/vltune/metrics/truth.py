"""Truth of captions and answers about drawn images: from predictions to scores, where there are records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vltune.metrics import bootstrap, scene_answers, scene_records
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.interface import scene_metrics
from vltune.metrics.scene_truth import judge
from vltune.metrics.scores import Scores, score
from vltune.pipeline.questions import AnswerPrediction
from vltune.pipeline.records import Prediction


def of_captions(path: Path, rows: list[Prediction], settings: Evaluate) -> Scores | None:
    """Score captions against the records of their images; None where the data set has none. `path` is the
    predictions file, for messages.

    Raises:
        InputError: a record is of the wrong form, or an image has none.
    """
    scenes = scene_records.read()
    if scenes is None:
        return None
    judged = [judge(row.caption, scenes.of(path, row.image_id), scenes.vocabulary) for row in rows]
    counts = bootstrap.draws(len(rows), settings.bootstrap_samples, settings.seed)
    counted = ((metric, metric.statistics(judged)) for metric in scene_metrics())
    scored = score(counted, counts, settings.confidence)
    unseen = scenes.unseen(path, (row.image_id for row in rows))
    return Scores(scored.metrics, scored.per_image | unseen, {"records": scenes.hash})


def of_answers(
    path: Path, rows: list[AnswerPrediction], answers: Mapping[str, Sequence[str | None]], settings: Evaluate
) -> Scores | None:
    """Score the answers [questions] of each system against the records of the images; None where the data
    set has none. The model has the name ""; None is a question that a control was not asked.

    Returns: by system a value with its interval; of the model `questions` and `right` [images],
        and `unseen` where the data set has two kinds of test images.
    Raises:
        InputError: as `of_captions`.
    """
    scenes = scene_records.read()
    known = np.array([row.question_type in scene_answers.JUDGES for row in rows])
    if scenes is None or not known.any():
        return None
    images = {image: i for i, image in enumerate(dict.fromkeys(row.image_id for row in rows))}
    counts = bootstrap.draws(len(images), settings.bootstrap_samples, settings.seed)
    metrics, per_image = {}, {}
    for name, texts in answers.items():
        asked = known & np.array([text is not None for text in texts])
        if not asked.any():
            continue
        right, sizes = np.zeros((2, len(images)))
        for i in np.flatnonzero(asked).tolist():
            row, record = rows[i], scenes.of(path, rows[i].image_id)
            sizes[images[row.image_id]] += 1
            right[images[row.image_id]] += scene_answers.true(
                row.question_type, row.question, texts[i], record, scenes.vocabulary)
        samples = bootstrap.ratios(counts, right, sizes)
        metrics[name] = bootstrap.row(right.sum() / sizes.sum(), samples, settings.confidence)
        if not name:
            per_image = scenes.unseen(path, images) | {
                "questions": sizes.astype(int).tolist(), "right": right.tolist()}
    return Scores(metrics, per_image, {"records": scenes.hash})
