"""The command line of `vltune study`; its work is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vltune.commands import options
from vltune.pipeline.process import run

StudyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The study, results/NAME.yaml.")]
Data = Annotated[Path | None, typer.Option(
    "--path", help="The folder or archive of the data set: fetch.path of every run.")]
Minutes = Annotated[float, typer.Option(
    min=0, help="Start no run that would end later, by the times of finished runs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan, and do nothing else.")]
Tables = Annotated[bool, typer.Option("--tables", help="Only write the tables, of the runs that are there.")]
Redo = Annotated[bool, typer.Option("--redo", help="Delete stale runs, which are then made again.")]
Keep = Annotated[bool, typer.Option(
    "--keep-models", help="Keep every checkpoint in DVC's cache, which may take 270 MB for a run.")]
Variants = Annotated[list[str] | None, typer.Option("--variant", help="Only this variant.")]
Methods = Annotated[list[str] | None, typer.Option("--method", help="Only this method.")]
Tasks = Annotated[list[str] | None, typer.Option("--task", help="Only this task.")]
Seeds = Annotated[list[int] | None, typer.Option("--seed", help="Only this seed.")]


def study(
    file: StudyFile, *, path: Data = None, minutes: Minutes = 150.0, dry_run: DryRun = False,
    tables: Tables = False, redo: Redo = False, keep_models: Keep = False, variant: Variants = None,
    method: Methods = None, task: Tasks = None, seed: Seeds = None, root: options.Root = Path(),
) -> None:
    """Make a table of results in small pieces: the runs of a study that are missing, one after another.

    Prints the plan, then makes missing runs with `dvc repro` in a clone of HEAD, and after each writes its
    scores to results/runs/NAME and the tables NAME.md and NAME.csv beside the study. Ctrl-C loses no
    finished run; the next call continues, a training from its last saved state. The tables need neither
    data nor models. A run that was made with other parameters is stale: it is named and left out.

    \b
    Examples:
      vltune study results/sizes.yaml --dry-run
      vltune study results/flickr8k.yaml --path photos/flickr8k.zip --minutes 150
      vltune study results/sizes.yaml --method lora --seed 0 --variant small
      vltune study results/sizes.yaml --tables
    """
    def work() -> None:
        from vltune.commands.study import Mode, main
        from vltune.commands.study_plan import Choice
        choice = Choice(variant or [], method or [], task or [], seed or [])
        main(file, choice, Mode(path, minutes, dry_run, tables, redo, keep_models), root)
    run(work)
