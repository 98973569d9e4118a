"""Your own data: images, and captions or questions or both, in one of two forms.

Divided into splits: captions_{train,val,test}.json and the like, see `own_splits.py`. In tables: captions.csv
or questions.csv and the like, see `own_table.py`.
"""

from __future__ import annotations

from vltune.pipeline.errors import InputError
from vltune.sources import own_splits, own_table
from vltune.sources.request import Request

NOT_GIVEN = "not given"  # the licence, unless SOURCE.json says it


def read(request: Request) -> None:
    """Write data/raw from such a folder.

    Raises:
        InputError: a file is missing or has another form, captions or questions are for images that aren't
            there, or an image is in two splits; names the file and the row.
    """
    source = request.location()
    if own_table.find(source, "captions") or own_table.find(source, "questions", own_table.ENDINGS[:2]):
        own_table.convert(request, source, NOT_GIVEN, "own data")
    elif any(source.glob("captions_*.json")) or any(source.glob("questions_*.json")):
        own_splits.convert(request, source, NOT_GIVEN, "own data")
    else:
        raise InputError(
            f"{source}: expected captions_train.json or questions_train.json (and val, test), or a table: "
            "captions.csv with the columns image and caption, questions.csv with image, question and answer"
        )
