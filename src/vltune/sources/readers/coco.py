"""COCO in the split that papers report or in its official one, with the questions of VQAv2 if they lie there.

Source: Karpathy and Fei-Fei 2015, Deep Visual-Semantic Alignments for Generating Image Descriptions
(dataset_coco.json); Chen et al. 2015, Microsoft COCO captions (the official files).
"""

from __future__ import annotations

from vltune.sources import coco_official, karpathy, vqav2
from vltune.sources.request import Request


def read(request: Request) -> None:
    """Write data/raw from a folder with dataset_coco.json or the official files of captions, and the images.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    location = request.location()
    questions = vqav2.read if vqav2.lies_in(location) else None
    if (location / "dataset_coco.json").is_file():
        karpathy.convert(request, questions)
    else:
        coco_official.convert(request, questions)
