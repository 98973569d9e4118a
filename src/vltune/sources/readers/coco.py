"""COCO in the split that papers report, with the questions of VQAv2 if its files lie in the same folder.

Source: Karpathy and Fei-Fei 2015, Deep Visual-Semantic
Alignments for Generating Image Descriptions (dataset_coco.json).
"""

from __future__ import annotations

from vltune.sources import karpathy, vqav2
from vltune.sources.request import Request


def read(request: Request) -> None:
    """Write data/raw from a folder with dataset_coco.json and the images.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    location = request.location()
    karpathy.convert(
        request.dataset, location, request.folder, vqav2.read if vqav2.lies_in(location) else None
    )
