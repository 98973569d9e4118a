"""The command line of `vltune demo`; its work is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vltune.commands import options
from vltune.pipeline.process import run

Shown = Annotated[list[str] | None, typer.Option(
    "--method", help="A method to show; by default all that are trained.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes any that is free.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Open no browser.")]


def demo(
    *, method: Shown = None, seed: options.Seed = 0, port: Port = 8000, no_browser: NoBrowser = False,
    root: options.Root = Path(),
) -> None:
    """Try all methods on an image of yours, in the browser.

    The page shows every method's caption and its answer to your question, with the attention on the image
    for the word under the pointer. It is served on 127.0.0.1, for this machine alone, until Ctrl-C. Its
    packages are an extra: `make demo` installs them and starts it.

    \b
    Examples:
      vltune demo
      vltune demo --method lora --method full
      vltune demo --port 0 --no-browser
    """
    def work() -> None:
        from vltune.commands.demo import main
        main(method or [], seed, port, not no_browser, root)
    run(work)
