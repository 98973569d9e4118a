"""What every reader of a data set writes: data/raw, the same whatever the source."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.questions import Question, write_questions
from vltune.pipeline.records import Caption, Captions, Image, checked_name, write_captions


class SplitWriter:
    """Collects a split's images with their references and
    questions; writes them in COCO's caption format and VQAv2's."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make the folder of the split's images."""
        self.name = name
        self.images_folder = folder / "images" / name
        self.images_folder.mkdir(parents=True)
        self._captions_file = folder / f"captions_{name}.json"
        self._questions_files = (folder / f"questions_{name}.json", folder / f"answers_{name}.json")
        self._questions: list[Question] = []
        self._images: list[Image] = []
        self._captions: list[Caption] = []

    @property
    def size(self) -> int:
        """The number of images."""
        return len(self._images)

    def add(self, image: Image, references: list[str], first_id: int) -> None:
        """Add an image whose file lies, or will lie, in
        `images_folder`; caption ids count up from `first_id`."""
        self._images.append(image)
        self._captions += [Caption(first_id + i, image.id, text) for i, text in enumerate(references)]

    def take(self, image: Image, source: Path, references: list[str], first_id: int) -> None:
        """Add an image that lies elsewhere: linked where the disk can, copied otherwise.

        The target never exists before: writing into an existing link would write into a user's own file.

        Raises:
            InputError: there is no such file, its name leads out of the
                folder of images, or another image of the split has it.
        """
        checked_name(f"{source}: image {image.id!r}", image.file_name)
        name = PurePosixPath(image.file_name)
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise InputError(
                f"{source}: file name {image.file_name!r} (image id {image.id!r}) leads out of the folder "
                "of images; expected a name without '..' that is relative to it"
            )
        target = self.images_folder / image.file_name
        try:
            self._link(image, source, target)
        except OSError as error:  # the name is too long, a part of it is a file, the disk is full
            raise InputError(
                f"{source}: cannot be put into {self.images_folder} ({error.strerror})"
            ) from None
        self.add(image, references, first_id)

    def _link(self, image: Image, source: Path, target: Path) -> None:
        if not source.is_file():
            raise InputError(
                f"{source}: no such image, but the data set names it (image id {image.id!r})"
            )
        if target.exists():
            raise InputError(
                f"{source}: two images of the split have the file name {image.file_name!r}, the second is "
                f"image id {image.id!r}; give each image a name of its own"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, target)

    def ask(self, questions: list[Question]) -> None:
        """Add questions about images of this split."""
        self._questions += questions

    def leave_out(self, most: float) -> int:
        """Leave out the images that have neither a caption nor a question, and say how many they are.

        Where some images of the split have captions, those without are counted against the share `most` of
        the split's images; where none has, those without a question are.

        Raises:
            InputError: they are more; names the first.
        """
        captioned = {caption.image_id for caption in self._captions}
        asked = {question.image_id for question in self._questions}
        what, having = ("caption", captioned) if captioned else ("caption and no question", asked)
        lacking = [image for image in self._images if image.id not in having]
        if len(lacking) > most * len(self._images):
            raise InputError(
                f"{self.name}: {len(lacking)} of {len(self._images)} images have no {what}, the first is "
                f"{lacking[0].file_name}; params.yaml allows the share 'fetch.max_uncaptioned_share' = {most}"
            )
        bare = [image for image in lacking if image.id not in asked]
        for image in bare:
            (self.images_folder / image.file_name).unlink()  # the link, not the user's file
        ids = {image.id for image in bare}
        self._images = [image for image in self._images if image.id not in ids]
        return len(bare)

    def write(self, info: dict[str, Any]) -> dict[str, Any]:
        """Write captions_NAME.json, questions_NAME.json and
        answers_NAME.json; give the table of `balance`."""
        write_captions(self._captions_file, Captions(self._images, self._captions), info)
        write_questions(*self._questions_files, self._questions, info)
        return balance(self._questions)


def balance(questions: list[Question]) -> dict[str, Any]:
    """Say for each question type how many questions there are, which answer is most frequent, and its share
    of them: the accuracy of whoever knows the question type alone."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        answers[question.question_type][question.answer] += 1
    table = {}
    for question_type, counts in sorted(answers.items()):
        answer, number = counts.most_common(1)[0]
        table[question_type] = {
            "questions": counts.total(), "most_frequent": answer, "share": round(number / counts.total(), 4),
        }
    return table
