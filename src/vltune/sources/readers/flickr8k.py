"""Flickr8k in its official split.

Source: Karpathy and Fei-Fei 2015, Deep Visual-Semantic Alignments for Generating Image Descriptions
(dataset_flickr8k.json).
"""

from __future__ import annotations

from vltune.sources import karpathy
from vltune.sources.request import Request


def read(request: Request) -> None:
    """Write data/raw from a folder with dataset_flickr8k.json and the images.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    karpathy.convert(request.dataset, request.location(), request.folder, None)
