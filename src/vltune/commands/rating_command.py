"""The command line of `vltune rate`; its work is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vltune.commands import options
from vltune.pipeline.errors import InputError
from vltune.pipeline.process import run

FOLDER = Path("ratings")

OutOrFiles = Annotated[list[Path] | None, typer.Argument(
    metavar="[OUT|FILES...]", help="A new folder for the sheet, by default ratings; with --score the files "
    "of the raters.")]
Score = Annotated[bool, typer.Option("--score", help="Say what the raters' files show.")]
Difference = Annotated[float, typer.Option(
    min=0.01, max=4, help="The smallest difference of two methods' mean ratings that the sheet must show.")]
Spread = Annotated[float, typer.Option(
    "--sd", min=0.01, max=4, help="The standard deviation of that difference over images. The default is "
    "near that of THumB's precision ratings.")]
Power = Annotated[float, typer.Option(
    min=0.05, max=0.999, help="The probability of showing it, if it is there.")]
Rated = Annotated[list[str] | None, typer.Option(
    "--method", help="A method to rate; by default those of params.yaml.")]
Key = Annotated[Path, typer.Option(help="The key of the sheet.")]
Form = Annotated[str, typer.Option("--format", help="terminal or markdown.")]


def rate(
    out_or_files: OutOrFiles = None, *, score: Score = False, difference: Difference = 0.5, sd: Spread = 1.2,
    power: Power = 0.8, method: Rated = None, seed: options.Seed = 0, key: Key = FOLDER / "key.json",
    form: Form = "terminal", root: options.Root = Path(),
) -> None:
    """Let people rate the captions of all methods, blind; score what they return.

    OUT gets the folder for_raters, with a page and a table of the same images and captions, and key.json,
    which says what method each letter is and stays with you. The number of images follows from --difference.

    With --score: means with intervals over images and raters, agreement, all pairs of methods, and how well
    each metric agrees with the ratings. Incomplete or wrong entries are refused by row.

    \b
    Examples:
      vltune rate
      vltune rate sheet --difference 0.3 --method lora --method full
      vltune rate --score anna.csv ben.csv carla.csv
      vltune rate --score answers/*.csv --key sheet/key.json --format markdown
    """
    def work() -> None:
        from vltune.commands import rate as rating
        words = out_or_files or []
        if score:
            rating.score(words, key, form, root)
        elif len(words) > 1:
            raise InputError("expected one new folder for the sheet; to score files of raters, add --score")
        else:
            goal = rating.Goal(difference, sd, power)
            rating.make(words[0] if words else FOLDER, goal, method or [], seed, root)
    run(work)
