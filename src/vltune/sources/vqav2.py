"""The official files of VQAv2, questions about the images of COCO: https://visualqa.org/download.html.

Source: Goyal et al. 2017, Making the V in VQA Matter. The answers of its test split are not public, so the
questions of its train and val are used, each in the split that its image is in.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question, read_questions
from vltune.pipeline.records import SPLITS

FILES = tuple(
    (f"v2_OpenEnded_mscoco_{part}_questions.json", f"v2_mscoco_{part}_annotations.json")
    for part in ("train2014", "val2014")
)


class Everything:
    """Holds every image: those that are in no split are left out when the files have been checked."""

    def __contains__(self, image_id: object) -> bool:
        return True


def lies_in(source: Path) -> bool:
    """Say whether the four files are in a folder.

    Raises:
        InputError: some are there and others are not; names one that is missing.
    """
    names = [name for pair in FILES for name in pair]
    missing = [name for name in names if not (source / name).is_file()]
    if missing and len(missing) < len(names):
        raise InputError(f"{source / missing[0]}: no such file; VQAv2 is {', '.join(names)}, and only "
                         f"{', '.join(name for name in names if name not in missing)} is there")
    return not missing


def read(source: Path, split_of: dict[int, tuple[str, int | str]]) -> dict[str, list[Question]]:
    """Read the questions of each split, and say on stderr how many are left out.

    Args:
        source: the folder with the four files.
        split_of: for COCO's id of an image the split that it is in and its id there.

    Raises:
        InputError: a file has another form, or questions and answers do not fit; names the file and the row.
    """
    questions: dict[str, list[Question]] = {name: [] for name in SPLITS}
    left_out = 0
    for questions_name, answers_name in FILES:
        for question in read_questions(source / questions_name, source / answers_name, Everything()):
            if question.image_id not in split_of:
                left_out += 1
                continue
            split, image_id = split_of[question.image_id]
            questions[split].append(replace(question, image_id=image_id))
    if left_out:
        sys.stderr.write(
            f"VQAv2: {left_out} questions are about images that are in no split, and are left out\n"
        )
    return questions
