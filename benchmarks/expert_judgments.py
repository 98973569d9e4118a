"""How well the metrics agree with experts: Kendall's tau-c with the judgments of Flickr8k, beside the
published values.

The file is a JSON list of {"image", "caption", "references": [5 texts], "ratings": [3 numbers from 1 to 4]}:
the expert judgments of Hodosh, Young and Hockenmaier 2013. The captions are human, most of them of another
image. A caption that is itself a reference of its image is left out, as in the published values (Anderson et
al. 2016, SPICE); the others are scored against all five references.

Run: python benchmarks/expert_judgments.py FILE. It writes results/flickr8k_expert.csv and .md.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # the code of this revision, not an installed one

import numpy as np
import pandas as pd

from vltune.comparison.correlation import correlate, scores_of_texts
from vltune.comparison.ratings import agreement
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_table, write_text
from vltune.pipeline.process import run
from vltune.pipeline.records import fields

# Hessel et al. 2021, CLIPScore: a reference-free evaluation metric for image captioning, table 1.
PUBLISHED = {"CIDEr": 0.439, "BLEU-4": 0.308, "METEOR": 0.418, "ROUGE-L": 0.323}
OUT = ROOT / "results/flickr8k_expert.csv"
LEVEL = 0.05
KEYS = ("image", "caption", "references", "ratings")


def judged(path: Path) -> tuple[list[dict], int]:
    """Read the judgments; give those whose caption is no reference of its image, and count the others.

    Raises:
        InputError: the file is missing or of another form.
    """
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: expected a list of judgments that is not empty")
    rows = [fields(path, "row ", i, row, KEYS) for i, row in enumerate(content)]
    kept = [row for row in rows if plain(row["caption"]) not in map(plain, row["references"])]
    return kept, len(rows) - len(kept)


def plain(text: str) -> str:
    """Give a text with single spaces."""
    return " ".join(text.split())


def main() -> None:
    """Score all captions, correlate, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="flickr8k_expert.json")
    path, start = parser.parse_args().file, time.perf_counter()
    rows, left_out = judged(path)
    scores = scores_of_texts([row["caption"] for row in rows], [row["references"] for row in rows])
    ratings, images = np.array([row["ratings"] for row in rows], float), [row["image"] for row in rows]
    table = pd.DataFrame({
        "metric": row.metric, "tau_c": row.tau, "low": row.low, "high": row.high,
        "published": PUBLISHED.get(row.metric),
    } for row in correlate(scores, ratings, images, LEVEL)).round(4)
    write_table(OUT, table)
    note = (
        f"Written by `python benchmarks/expert_judgments.py FILE` in {time.perf_counter() - start:.0f} s: "
        f"{len(rows)} captions of {len(set(images))} images with {ratings.size} ratings; {left_out} captions "
        "are left out, since they are references of their images. tau_c: Kendall's tau-c, each rating an "
        f"observation; low, high: {1 - LEVEL:.0%} interval over images; published: Hessel et al. 2021, table "
        f"1. Agreement of the raters: Krippendorff's alpha {agreement(ratings):.3f} (ordinal)."
    )
    text = table.to_markdown(index=False, floatfmt=("", ".4f", ".4f", ".4f", ".3f"))
    write_text(OUT.with_suffix(".md"), f"# Metrics and experts\n\n{note}\n\n{text}\n")
    print(f"{note}\n\n{text}")


if __name__ == "__main__":
    run(main)
