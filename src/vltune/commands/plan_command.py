"""The command line of `vltune plan`; its work is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vltune.commands import options
from vltune.pipeline.process import run

Methods = Annotated[int | None, typer.Option(help="The number of methods to compare.")]
Images = Annotated[int | None, typer.Option(help="The number of test images.")]
Spread = Annotated[float | None, typer.Option(help="Standard deviation of a method's score over seeds.")]
ImageSpread = Annotated[float | None, typer.Option(
    help="Standard deviation over images of the difference of two methods' scores.")]
Margin = Annotated[float | None, typer.Option(
    help="The difference that matters; by default that of the section `claims`.")]
Seconds = Annotated[float | None, typer.Option(help="Seconds of one training.")]
Plot = Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the table, too.")]


def plan(
    *, task: options.ComparedTask = None, methods: Methods = None,
    images: Images = None, spread: Spread = None,
    image_spread: ImageSpread = None, margin: Margin = None, seconds: Seconds = None,
    plot: Plot = None, root: options.Root = Path(),
) -> None:
    """Plan a comparison: how many seeds a verdict needs, and what they cost.

    For numbers of seeds, the table has the smallest difference that is established, and the smallest margin
    within which equal methods are called equivalent, both with probability 80 %, and the hours of training.
    The spreads and times are those of the results in data/results. Options replace them; with --spread no
    results are needed (5 methods, 500 images and no spread over images, unless given).

    \b
    Examples:
      vltune plan
      vltune plan --task vqa --margin 0.05 --plot plan.png
      vltune plan --methods 5 --spread 0.03 --image-spread 0.25 --images 500 --margin 0.1 --seconds 110
    """
    def work() -> None:
        from vltune.commands.plan import Typed, main
        main(task, Typed(methods, images, spread, image_spread, margin, seconds), plot, root)
    run(work)
