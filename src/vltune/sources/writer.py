"""From a reader's images, captions and questions to data/raw: three splits and SOURCE.json."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced, write_json
from vltune.pipeline.questions import Question
from vltune.pipeline.records import SPLITS, Image
from vltune.sources.request import Request
from vltune.sources.rules import Rules
from vltune.sources.split import SplitWriter


@contextmanager
def writing(request: Request, licence: str, description: str) -> Iterator[DataWriter]:
    """Yield a writer of the data set; data/raw is replaced when the block ends without an error.

    Raises:
        InputError: as `DataWriter.finish`; data/raw is then as it was.
    """
    with replaced(request.folder) as part:
        writer = DataWriter(part, request.rules, {"dataset": request.dataset, "licence": licence})
        yield writer
        writer.finish({"description": description, "license": licence})


class DataWriter:
    """Collects the images of all splits; `source` becomes SOURCE.json."""

    def __init__(self, folder: Path, rules: Rules, source: dict[str, Any]) -> None:
        """Make the folders of the splits."""
        self.source = source
        self._file = folder / "SOURCE.json"
        self._rules = rules
        self._splits = {name: SplitWriter(folder, name) for name in SPLITS}
        self._splits_of: dict[int | str, tuple[str, ...]] = {}  # by the ids of images
        self._captions = 0

    def take(self, split: str, image: Image, source: Path, references: list[str]) -> None:
        """Add an image with its captions, if it has any; its file is linked or copied.

        Raises:
            InputError: as `SplitWriter.take`, or the image is in this split already, or in another one and
                shared images are not allowed.
        """
        splits = self._splits_of.get(image.id, ())
        if split in splits:
            raise InputError(f"{source}: image {image.id!r} is in {split} already; ids must be unique")
        if splits and not self._rules.shared_images:
            raise InputError(
                f"{source}: image {image.id!r} is in {splits[0]} and in {split}; splits must not share "
                "images unless params.yaml allows it: 'fetch.shared_images'"
            )
        self._splits_of[image.id] = (*splits, split)
        self._splits[split].take(image, source, references, self._captions)
        self._captions += len(references)

    def ask(self, split: str, questions: list[Question]) -> None:
        """Add questions about images of a split."""
        self._splits[split].ask(questions)

    def finish(self, info: dict[str, Any]) -> None:
        """Leave out images without any text, write the splits' files and SOURCE.json.

        Raises:
            InputError: more images than allowed have no caption, or a split has no images.
        """
        left_out = {}
        for name, split in self._splits.items():
            left_out[name] = split.leave_out(self._rules.max_uncaptioned_share)
            if left_out[name]:
                sys.stderr.write(
                    f"{name}: {left_out[name]} images without caption and question are left out\n"
                )
        counts = {name: split.size for name, split in self._splits.items()}
        empty = [name for name, count in counts.items() if not count]
        if empty:
            raise InputError(
                f"the data set has no image in {' and '.join(empty)}; expected some in each of train, val "
                "and test: name the split of each image, or raise 'fetch.val_share' or 'fetch.test_share'"
            )
        tables = {name: split.write({**info, "split": name}) for name, split in self._splits.items()}
        self.source |= {"images": counts, "questions": tables}
        if any(left_out.values()):
            self.source["left_out"] = left_out
        shared = Counter("+".join(splits) for splits in self._splits_of.values() if len(splits) > 1)
        if shared:
            self.source["shared_images"] = dict(shared)
        write_json(self._file, self.source)
