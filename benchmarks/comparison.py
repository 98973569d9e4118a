"""Seconds and memory of a whole comparison: 500 images, 10 methods, all 45 pairs, three metrics, 10,000
samples.

Run: make bench. The target is under 10 seconds for one seed of each method; memory stays below 1 GB. Three
seeds of each are shown too.
"""

import resource
import sys
import time
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np

from vltune.comparison import hierarchical, significance
from vltune.comparison.hierarchical import Metric
from vltune.metrics.caption_metrics import bleu

METHODS, IMAGES, SAMPLES, LEVEL = 10, 500, 10_000, 0.05


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
        "CIDEr": hierarchical.means(cider),
        "accuracy": hierarchical.ratios(accuracy, questions),
        "BLEU-4": hierarchical.corpus(counts, lambda sums: bleu.value(sums)[..., 3]),
    }


def main() -> None:
    """Estimate each method and compare all pairs, metric by metric."""
    for seeds in (1, 3):
        print(f"{METHODS} methods, {seeds} seeds each, {IMAGES} images, {SAMPLES} samples, level {LEVEL}")
        begin = time.perf_counter()
        for name, metric in metrics(seeds).items():
            start = time.perf_counter()
            hierarchical.estimate(metric, LEVEL, SAMPLES, 0)
            rows = significance.compare(metric, LEVEL, SAMPLES, 0)
            ties = sum(row.verdict == "tie" for row in rows)
            print(f"  {name:9} {time.perf_counter() - start:5.2f} s, {len(rows)} pairs, {ties} of them ties")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
        print(
            f"  all       {time.perf_counter() - begin:5.2f} s (target: under 10 s for one seed), peak "
            f"memory {peak:.0f} MiB"
        )


if __name__ == "__main__":
    main()
