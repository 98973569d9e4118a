"""The command line of `vltune forget`; its work is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vltune.commands import options
from vltune.pipeline.process import run

TextFile = Annotated[Path | None, typer.Option(
    "--text", metavar="FILE.txt", help="A text file; by default what the base itself writes.")]


def forget(
    out: options.Out = None, *, method: options.Method, task: options.Task = "caption",
    seed: options.Seed = 0, text: TextFile = None, root: options.Root = Path(),
) -> None:
    """Measure what a run has forgotten of the base's language, without an image.

    It is the divergence KL(base || tuned) of the decoder's next-token distributions, a mean over tokens in
    nats, on texts that the base itself writes, as in the table of the pipeline, or on a text file of yours.
    The interval is bootstrapped over texts: of a file, over portions of 128 tokens.

    \b
    Examples:
      vltune forget --method lora
      vltune forget --method full --task vqa --text letters.txt
    """
    def work() -> None:
        from vltune.commands.forget import main
        main(text, out, method, task, seed, root)
    run(work)
