"""The end of `make repro`: the answer for each task, where the page is, and what to try next."""

from __future__ import annotations

from pathlib import Path

from vltune.commands.compare import read_claims
from vltune.commands.terminal import sentence
from vltune.comparison.choice import compared, values
from vltune.comparison.compare import compare
from vltune.comparison.runs import collect
from vltune.pipeline import paths
from vltune.pipeline.params import read
from vltune.report.answer import answer

PAGE = Path("plots/report.html")
MARGIN = 10  # columns before the text
COMMANDS = 44  # columns of a command before what it does


def conclusion(root: Path = Path()) -> str:
    """Write the answer of each task, the path of the page, and commands that work on these results.

    Raises:
        InputError: a results file is missing or of the wrong form.
    """
    return "\n".join([*answers(root), "", titled("page", str(PAGE)), *following(root)]) + "\n"


def answers(root: Path) -> list[str]:
    """Give the answer of each task: the verdict on every method against the one that trains most."""
    params = root / "params.yaml"
    runs, _ = collect(compared(params), values("tasks", path=params), values("seeds", int, params), root)
    return [sentence(titled(comparison.first.task, answer(comparison)), MARGIN)
            for comparison in compare(runs, read_claims(params))]


def following(root: Path) -> list[str]:
    """Give the commands to try next, with a method and an image that are there."""
    method = read(root / "params.yaml")["method"]
    others = [name for name in values("methods", path=root / "params.yaml") if name != method]
    image = min((root / paths.RAW / "images/test").iterdir()).relative_to(root)
    rows = {
        ". .venv/bin/activate": "first, once in each terminal",
        f"vltune caption {image} --method {method}": "",
        "make demo": "vltune demo: all methods on an image of yours",
    }
    if others:
        rows[f"dvc exp run -S method={others[0]}"] = "the summary of another method"
    lines = [f"{command:<{COMMANDS}}{purpose}".rstrip() for command, purpose in rows.items()]
    return [titled("next" if i == 0 else "", line) for i, line in enumerate(lines)]


def titled(title: str, text: str) -> str:
    """Write a line with its title in front."""
    return f"{title:<{MARGIN}}{text}"
