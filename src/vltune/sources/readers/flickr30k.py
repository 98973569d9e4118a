"""Flickr30k in the split that papers report.

Source: Karpathy and Fei-Fei 2015, Deep Visual-Semantic Alignments for Generating Image Descriptions
(dataset_flickr30k.json).
"""

from __future__ import annotations

from vltune.sources import karpathy
from vltune.sources.request import Request


def read(request: Request) -> None:
    """Write data/raw from a folder with dataset_flickr30k.json and the images.

    Raises:
        InputError: a file is missing or has another form; names the file and the row.
    """
    karpathy.convert(request, None)
