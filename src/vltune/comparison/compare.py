"""One comparison a task, from its runs: each method over its seeds, and a verdict on each pair of methods.

The report and `vltune compare` show what is made here, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vltune.comparison import per_image
from vltune.comparison.claims import EXPLORATORY, NOTHING, Claims
from vltune.comparison.estimates import Estimate
from vltune.comparison.groups import Group, split
from vltune.comparison.per_image import PerImage, Verdicts
from vltune.comparison.runs import SIZES, Run, Scored, mean
from vltune.comparison.significance import Row
from vltune.metrics.bootstrap import DIGITS
from vltune.metrics.signature import check_same
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError


@dataclass(frozen=True)
class Method(Scored):
    """A method over its seeds: `result` holds means, and in
    `metrics` the spread `sd` too (None with one seed)."""

    seeds: int


@dataclass(frozen=True)
class Comparison:
    """One task: its methods in the order of the runs, and by metric how many images it is about, and the
    verdicts on the pairs (none of fewer than two); what was claimed of them before; scores by group of test
    images, where there are groups."""

    methods: list[Method]
    images: dict[str, int]
    verdicts: dict[str, Verdicts]
    claims: Claims = NOTHING
    groups: list[Group] = field(default_factory=list)

    def family(self, row: Row, verdicts: Verdicts) -> str:
        """Say what a verdict belongs to: declared, interim or exploratory."""
        return self.claims.stage(verdicts.seeds) if row.declared else EXPLORATORY

    @property
    def first(self) -> Method:
        """A method, for what all of them share: the task and how it was scored."""
        return self.methods[0]


def compare(runs: list[Run], claims: Claims = NOTHING) -> list[Comparison]:
    """Compare the runs of each task. The start takes no part
    in the pairs: every method begins from it, and it is none.

    Raises:
        InputError: two runs of a task were scored differently or on other images.
    """
    tasks = list(dict.fromkeys(run.task for run in runs))
    return [_compare([run for run in runs if run.task == task], claims, tasks) for task in tasks]


def _compare(runs: list[Run], claims: Claims, tasks: list[str]) -> Comparison:
    check_same({f"{run.method} {run.task} {run.seed}": run.result["signature"] for run in runs})
    _check_images(runs)
    names = [name for name in runs[0].scores if all(name in run.scores for run in runs)]
    methods = by_method(runs)
    scores = {method: [run.result["per_image"] for run in seeds] for method, seeds in methods.items()}
    estimates = {name: per_image.estimates(name, scores, runs[0].settings) for name in names}
    compared = paired({method: seeds for method, seeds in methods.items() if method != paths.START})
    task, settings = runs[0].task, runs[0].settings
    return Comparison(
        [
            _over_seeds(seeds, {name: estimates[name][method] for name in names})
            for method, seeds in methods.items()
        ],
        {name: per_image.images(name, runs[0].result["per_image"]) for name in names},
        {name: per_image.verdicts(
            name, compared, settings, claims.margin(task, name), claims.family(task, name, tasks))
         for name in names} if len(compared) > 1 else {},
        claims, split(scores, names, settings),
    )


def by_method(runs: list[Run]) -> dict[str, list[Run]]:
    """Group runs by their methods, in the order of the runs."""
    names = dict.fromkeys(run.method for run in runs)
    return {name: [run for run in runs if run.method == name] for name in names}


def paired(methods: dict[str, list[Run]]) -> dict[str, list[PerImage]]:
    """Give what the runs of each method bring, seed by seed: of the seeds that all methods have. Where they
    have none in common nothing is paired, and the runs stand in their order."""
    seeds = [{run.seed for run in runs} for runs in methods.values()]
    common = set.intersection(*seeds) if seeds else set()
    return {
        method: [run.result["per_image"] for run in runs if run.seed in common or not common]
        for method, runs in methods.items()
    }


def _check_images(runs: list[Run]) -> None:
    """Check that all runs are about the same images; InputError
    names two that are not, and some of the images."""
    expected = runs[0].result["per_image"]["images"]
    for run in runs[1:]:
        images = run.result["per_image"]["images"]
        if images != expected:
            apart = [image for image in [*expected, *images] if (image in expected) != (image in images)]
            raise InputError(
                f"'{runs[0].method} {run.task} {runs[0].seed}' and '{run.method} {run.task} {run.seed}' "
                f"cannot be compared: "
                f"'per_image.images' holds {len(expected)} and {len(images)} images"
                + (
                    f", only one of them has {', '.join(map(repr, apart[:5]))}"
                    if apart
                    else " in another order"
                )
            )


def _over_seeds(runs: list[Run], estimates: dict[str, Estimate]) -> Method:
    spec = runs[0].spec
    result = {name: mean([run.result[name] for run in runs]) for name in (*spec.parts, "controls", *SIZES)}
    scores = {
        name: {"value": estimate.mean, "sd": estimate.sd, "low": estimate.low, "high": estimate.high}
        for name, estimate in estimates.items()
    }
    if len(runs) == 1:  # its interval stands in its results file, and there is no other
        scores = {name: score | runs[0].scores[name] for name, score in scores.items()}
    rounded = {
        name: {end: None if x is None else round(x, DIGITS) for end, x in score.items()}
        for name, score in scores.items()
    }
    shared = {name: runs[0].result.get(name) for name in ("signature", "projector", "trained_on")}
    return Method(
        runs[0].method, runs[0].task, result | shared | {"metrics": rounded},
        len(runs),
    )
