"""How often a word is false, and how often a difference is established: simulated methods whose truth is
known.

Run: nice python benchmarks/power.py. It calls the functions that `vltune compare` calls, on made-up scores of
images, and prints the tables of docs/evaluation.md. Five minutes of one core.

A world has the spread of the seeds by method, a part that the seed brings to all methods, how hard an image
is for all methods and for each, and which images each trained model has right. All but the seeds' parts are
skewed, as scores are. Three ways to compare read the same worlds:

    ours        `significance.compare`
    Shaffer     the same p-values of single pairs, corrected by Shaffer's steps (1986, S1) instead of Tukey's
    bootstrap   the Multi-Bootstrap: seeds and images drawn with replacement, percentile intervals of each
    pair
                with Bonferroni's correction (Sellam et al. 2022, The MultiBERTs, section 3, paired design)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np

from vltune.comparison import scores, significance
from vltune.comparison.scores import Metric
from vltune.pipeline.randomness import numpy_generator

LEVEL, SPREAD, DIFFERENCE, IMAGES = 0.05, 0.03, 0.10, 500
IMAGE, METHOD_IMAGE, RUN_IMAGE = 0.3, 0.12, 0.12  # standard deviations of scores, as of VQA accuracy
SEED_EFFECTS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, size=shape) / np.sqrt(3),
}


class Setting(NamedTuple):
    """What worlds share; the methods' spreads over seeds go from `spread` to `ratio` times that, evenly in
    their logarithm, and `block` is the spread of what a seed brings to all methods."""

    methods: int
    seeds: int
    effects: str = "normal"
    ratio: float = 1.0
    block: float = SPREAD / 2
    images: int = IMAGES
    spread: float = SPREAD


class Shares(NamedTuple):
    """Shares over the worlds: of any false word where all methods are equal, of intervals that hold the
    truth, and of differences established where the first method is better than all others by DIFFERENCE."""

    false: float
    covered: float
    power: float


def world(setting: Setting, number: int, difference: float = 0.0) -> Metric:
    """Make up the scores of a world; the first method is better than the others by `difference`."""
    rng, (methods, seeds, images) = numpy_generator(number, str(setting)), (*setting[:2], setting.images)
    spread = setting.spread * np.geomspace(1, setting.ratio, methods)
    runs = spread[:, None] * SEED_EFFECTS[setting.effects](rng, (methods, seeds))
    runs += setting.block * rng.standard_normal(seeds)
    easy, own = rng.exponential(size=images) - 1, rng.exponential(size=(methods, 1, images)) - 1
    right = rng.exponential(size=(methods, seeds, images)) - 1
    values = 1 + runs[..., None] + IMAGE * easy + METHOD_IMAGE * own + RUN_IMAGE * right
    values[0] += difference
    return scores.means({f"method {i}": value for i, value in enumerate(values)})


def ours(metric: Metric) -> np.ndarray:
    """Give the ends of the interval of each pair, [pairs, 2]."""
    return np.array([(row.low, row.high) for row in significance.compare(metric, LEVEL)])


def by_shaffer(metric: Metric) -> np.ndarray:
    """Give for each pair an interval of no length at its difference where Shaffer's steps say that it is not
    0, else one that holds everything; [pairs, 2]."""
    rows = significance.compare(metric, LEVEL)
    established = shaffer(np.array([row.p for row in rows]), len(metric.parts)) <= LEVEL
    ends = np.array([[row.difference] * 2 for row in rows])
    return np.where(established[:, None], ends, [-np.inf, np.inf])


def shaffer(p: np.ndarray, methods: int) -> np.ndarray:
    """Correct the p-values of all pairs, [pairs]: each is multiplied by the most hypotheses that can be true
    while the smaller ones are false. A partition of the methods into groups of equals makes a number
    possible."""
    possible = [{0}]
    for size in range(1, methods + 1):
        possible.append({j * (j - 1) // 2 + rest for j in range(1, size + 1) for rest in possible[size - j]})
    order = np.argsort(p)
    most = [max(number for number in possible[methods] if number <= len(p) - i) for i in range(len(p))]
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.maximum(most, 1)), 1)
    return corrected


def by_bootstrap(metric: Metric, samples: int = 1000) -> np.ndarray:
    """Give the Multi-Bootstrap's interval of each pair, [pairs, 2]."""
    values = np.stack([parts[..., 0] for parts in metric.parts.values()])
    methods, seeds, images = values.shape
    rng = np.random.default_rng(int(1e6 * abs(values[0, 0, 0])))
    of_images = rng.multinomial(images, np.full(images, 1 / images), size=samples) / images
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=samples) / seeds
    drawn = np.einsum("bs,msb->bm", of_seeds, values @ of_images.T)
    first, second = np.triu_indices(methods, 1)
    tail = LEVEL / len(first) / 2
    return np.quantile(drawn[:, first] - drawn[:, second], [tail, 1 - tail], axis=0).T


def simulate(setting: Setting, worlds: int, compare: Callable[[Metric], np.ndarray] = ours,
             power_worlds: int | None = None) -> Shares:
    """Compare the methods of every world; differences are looked for in the first `power_worlds`."""
    equal = np.array([compare(world(setting, i)) for i in range(worlds)])
    outside = (equal[..., 0] > 0) | (equal[..., 1] < 0)
    better = np.array([compare(world(setting, i, DIFFERENCE)) for i in range(power_worlds or worlds)])
    return Shares(outside.any(1).mean(), 1 - outside.mean(), (better[:, :setting.methods - 1, 0] > 0).mean())


MANY, FEW = 4000, 1000
MAIN = [Setting(methods, 3, ratio=ratio) for ratio in (1.0, 3.0) for methods in (2, 3, 5, 12)]
OTHERS = [
    *(Setting(5, 3, effects, ratio) for effects in ("skewed", "heavy-tailed") for ratio in (1.0, 3.0)),
    Setting(5, 3, block=0.0), Setting(5, 3, block=2 * SPREAD), Setting(5, 3, images=60),
    Setting(5, 3, spread=0.0, images=60),
    *(Setting(methods, seeds) for seeds in (5, 10) for methods in (2, 5, 12)),
    Setting(5, 5, "skewed"), Setting(5, 10, "heavy-tailed", 3.0), Setting(5, 2), Setting(5, 1),
]


def main() -> None:
    """Print the tables: ours in all settings, then the three ways side by side."""
    print("| methods | seeds | effects | spreads | block | images | false words | coverage | power |")
    print("| ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for setting, worlds in [*((setting, MANY) for setting in MAIN), *((setting, FEW) for setting in OTHERS)]:
        print(_row(setting, simulate(setting, worlds, power_worlds=FEW)), flush=True)
    print("\n| methods | seeds | way | false words | power |\n| ---: | ---: | --- | ---: | ---: |")
    for setting in [Setting(methods, 3) for methods in (2, 3, 5, 12)] + [Setting(5, 5), Setting(5, 10)]:
        for name, compare, worlds in (("ours", ours, FEW), ("Shaffer", by_shaffer, FEW),
                                      ("bootstrap", by_bootstrap, FEW // 4)):
            shares = simulate(setting, worlds // (2 if setting.methods == 12 else 1), compare)
            print(f"| {setting.methods} | {setting.seeds} | {name} | "
                  f"{100 * shares.false:.1f} % | {100 * shares.power:.0f} % |", flush=True)


def _row(setting: Setting, shares: Shares) -> str:
    cells = [setting.methods, setting.seeds, setting.effects, _spreads(setting), f"{setting.block:g}",
             setting.images, f"{100 * shares.false:.1f} %", f"{100 * shares.covered:.1f} %",
             f"{100 * shares.power:.0f} %"]
    return f"| {' | '.join(map(str, cells))} |"


def _spreads(setting: Setting) -> str:
    return f"{setting.spread:g}" + (f" to {setting.ratio * setting.spread:g}" if setting.ratio > 1 else "")


if __name__ == "__main__":
    main()
