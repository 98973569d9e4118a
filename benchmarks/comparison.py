"""Seconds and memory of a whole comparison: 12 methods, all 66 pairs, 5 seeds, 1,000 images, three metrics.

Run: make bench. The target is under 10 seconds; memory stays below 1 GB.
"""

import resource
import sys
import time
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np

from vltune.comparison import scores, significance
from vltune.comparison.estimates import estimate
from vltune.comparison.scores import Metric
from vltune.metrics.caption_metrics import bleu

METHODS, SEEDS, IMAGES, LEVEL = 12, 5, 1000, 0.05


def metrics(seeds: int) -> dict[str, Metric]:
    """Make up CIDEr, accuracy and BLEU-4 of methods that differ a little: a mean, a ratio and a metric of the
    corpus."""
    rng = np.random.default_rng(0)
    easy, questions = rng.exponential(size=IMAGES), rng.integers(1, 6, size=IMAGES)
    words = rng.integers(6, 12, size=(seeds, IMAGES, 1))
    guess = words - np.arange(bleu.ORDERS)
    cider, accuracy, counts = {}, {}, {}
    for number in range(METHODS):
        name, right = f"method {number}", 0.5 + 0.02 * number
        cider[name] = easy + 3 * right + rng.exponential(size=(seeds, IMAGES))
        accuracy[name] = rng.binomial(questions, right, size=(seeds, IMAGES))
        counts[name] = np.concatenate((rng.binomial(guess, right), guess, words, words), axis=-1)
    return {
        "CIDEr": scores.means(cider),
        "accuracy": scores.ratios(accuracy, questions),
        "BLEU-4": scores.corpus(counts, lambda sums: bleu.value(sums)[..., 3]),
    }


def main() -> None:
    """Estimate each method and compare all pairs, metric by metric."""
    print(f"{METHODS} methods, {SEEDS} seeds each, {IMAGES} images, level {LEVEL}")
    begin = time.perf_counter()
    for name, metric in metrics(SEEDS).items():
        start = time.perf_counter()
        estimate(metric, LEVEL)
        rows = significance.compare(metric, LEVEL, margin=0.05)
        undecided = sum(row.verdict == significance.UNDECIDED for row in rows)
        print(f"  {name:9} {time.perf_counter() - start:5.2f} s, {len(rows)} pairs, {undecided} undecided")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    seconds = time.perf_counter() - begin
    print(f"  all       {seconds:5.2f} s (target: under 10 s), peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
