"""vltune rate: a blind rating sheet for people, and what their ratings say."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import comb
from pathlib import Path

import pandas as pd

from vltune.commands import output, rating_files, rating_results, rating_sheet
from vltune.comparison import per_image
from vltune.comparison.choice import compared
from vltune.comparison.sample_size import detectable, images_needed
from vltune.metrics.bootstrap import Evaluate
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import replaced, write_json
from vltune.pipeline.params import choice_of, load

RATERS = "for_raters"  # the folder that raters get; the key lies outside it
FORMS = ("terminal", "markdown")
FEWEST_IMAGES = 10  # fewer say little, whatever the difference


@dataclass(frozen=True)
class Goal:
    """What a sheet must be able to show: the smallest `difference` of two methods' mean ratings, where the
    difference has the standard deviation `sd` over images, with probability `power`."""

    difference: float
    sd: float
    power: float


def make(out: Path, goal: Goal, methods: list[str], seed: int, root: Path) -> None:
    """Write the sheet and its key into the new folder `out`, and print what was assumed.

    Raises:
        InputError: the folder is not new, predictions are missing, or there are too few images for the goal.
    """
    output.check_folder(out)
    settings = load(Evaluate, "evaluate", root / "params.yaml")
    names = methods or compared(root / "params.yaml")
    predictions = rating_sheet.read_all(list(dict.fromkeys(names)), seed, root)
    level = per_image.level(settings)
    images = count(goal, level, list(predictions), len(next(iter(predictions.values()))))
    rows = rating_sheet.draw(predictions, images, settings.seed)
    key = rating_sheet.make_key(rows, list(predictions), seed, root)
    with replaced(out) as part:
        rating_files.write_page(part / RATERS / "ratings.html", key, root)
        rating_files.write_table(part / RATERS / "ratings.csv", key)
        write_json(part / "key.json", key.content())
    sys.stdout.write(summary(out, key, goal, level, images))


def count(goal: Goal, level: float, methods: list[str], available: int) -> int:
    """Give the number of images that the goal needs, each pair tested at `level` / number of pairs.

    Raises:
        InputError: more are needed than there are; says what difference those can show.
    """
    single = level / pairs(methods)
    needed = max(FEWEST_IMAGES, images_needed(goal.difference, goal.sd, single, goal.power))
    if needed > available:
        hint = ""
        if available >= FEWEST_IMAGES:
            shown = detectable(available, goal.sd, single, goal.power)
            hint = f"; they show differences of {shown + 0.005:.2f} or more: give --difference"
        raise InputError(f"a difference of {goal.difference:g} needs {needed} images, and there are "
                         f"predictions for {available}{hint}")
    return needed


def pairs(methods: list[str]) -> int:
    """Count the pairs of methods, and at least one."""
    return max(1, comb(len(methods), 2))


def summary(out: Path, key: rating_sheet.Key, goal: Goal, level: float, images: int) -> str:
    """Say what is on the sheet, what its size rests on, and who gets what."""
    captions, methods = len(key.rows), list(key.predictions)
    merged = images * (len(methods) + 1) - captions
    page = out / RATERS / "ratings.html"
    return (
        f"{images} images, {captions} captions of {', '.join(methods)} and a human reference "
        f"({merged} equal ones left out): {2 * captions} ratings for each rater\n"
        f"shows a difference of {goal.difference:g} between the mean ratings of two methods with probability "
        f"{goal.power:g}, assuming that\n"
        f"- the difference has a standard deviation of {goal.sd:g} over images (`--score` prints it)\n"
        f"- of {pairs(methods)} pairs, the first is tested at level {level:g} / {pairs(methods)} (Holm), by "
        "a paired t-test\n"
        "- it is a difference to these raters; to say more of other people, have five raters or more\n"
        f"{page}: {page.stat().st_size / 1e6:.2f} MB, for raters; {page.with_suffix('.csv').name} is the "
        "same for a spreadsheet\n"
        f"{out / 'key.json'}: which letter is which method; raters must not get it\n"
    )


def score(files: list[Path], key_path: Path, form: str, root: Path) -> None:
    """Print what the ratings of raters say.

    Raises:
        InputError: no file is given, one is incomplete or of another sheet, or (after printing) results are
            missing that the metrics' scores would come from.
    """
    choice_of("unknown format", form, FORMS)
    if not files:
        raise InputError("give the files of the raters: vltune rate --score FILES...")
    settings = load(Evaluate, "evaluate", root / "params.yaml")
    key = rating_sheet.read_key(key_path)
    answers = rating_files.read_answers(files, key)
    metrics, missing = rating_results.metric_scores(key, root)
    results = rating_results.measure(key, answers, metrics, per_image.level(settings))
    sys.stdout.write("".join(f"{note}\n" for note in rating_results.notes(key, answers, results)))
    for title, table in rating_results.tables(results, settings.confidence).items():
        sys.stdout.write(f"\n{rendered(title, table, form)}\n")
    if missing:
        raise InputError(f"no correlation with metrics, since results are missing: {', '.join(missing)}; "
                         "make them with `dvc repro`")


def rendered(title: str, table: pd.DataFrame, form: str) -> str:
    """Write a table for the terminal, or in Markdown."""
    if form == "markdown":
        return f"## {title}\n\n{table.to_markdown(index=False, disable_numparse=True)}"
    return f"{title}\n\n{table.to_string(index=False)}"
