"""The rooms of src/vltune by floor, and which room imports which, drawn into docs/architecture.md.

`python tests/contracts/rooms.py` prints the plan; with `--write` it replaces the picture in the document.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contracts.graph import ROOT, SRC, imports

PACKAGE = SRC / "vltune"
DOCUMENT = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- rooms: begin, `make architecture` -->", "<!-- rooms: end -->"
# The floors from the ground up: a room may import itself and any room of a floor below it.
FLOORS = (
    ("pipeline",),
    ("data", "model", "metrics"),
    ("methods", "sources", "preprocessing", "comparison"),
    ("training", "prediction", "report"),
    ("commands",),
    ("cli.py",),
)


def room(file: Path) -> str:
    """The room of a file; a file beside the rooms is one of its own."""
    return file.relative_to(PACKAGE).parts[0]


def floor(name: str) -> int:
    """The floor that a room is on, from 0; raises StopIteration for a room that FLOORS lacks."""
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def arrows() -> set[tuple[str, str]]:
    """Pairs of (importing room, imported room)."""
    pairs = {(room(file), room(target)) for file in PACKAGE.rglob("*.py") for target in imports(file)}
    return {(source, target) for source, target in pairs if source != target and target != "__init__.py"}


def upward() -> set[tuple[str, str]]:
    """The arrows that do not go down to a lower floor."""
    return {(source, target) for source, target in arrows() if floor(target) >= floor(source)}


def shown() -> set[tuple[str, str]]:
    """The arrows that are drawn: all but those to the ground floor, which every room imports."""
    return {(source, target) for source, target in arrows() if target not in FLOORS[0]}


def plan() -> str:
    """The count of rooms and arrows, and the picture in Mermaid's language."""
    rooms = sum(not name.endswith(".py") for names in FLOORS for name in names)
    ground = len(arrows()) - len(shown())
    lines = [f"{rooms} rooms and `cli.py`, {len(arrows())} arrows; an arrow means \"imports\". "
             f"Not drawn: {ground} arrows to `{FLOORS[0][0]}`.", "", "```mermaid", "flowchart TB"]
    for number in reversed(range(len(FLOORS))):
        names = [f"    {name}" for name in FLOORS[number]]
        lines += [f'  subgraph floor{number}["floor {number}"]', "    direction LR", *names, "  end"]
    lines += [f"  floor{upper} ~~~ floor{lower}" for upper, lower in pairwise(reversed(range(len(FLOORS))))]
    order = [name for names in reversed(FLOORS) for name in names]
    ordered = sorted(shown(), key=lambda arrow: (order.index(arrow[0]), order.index(arrow[1])))
    lines += [f"  {source} --> {target}" for source, target in ordered]
    return "\n".join([*lines, "```"])


def drawn(text: str) -> str:
    """Give the document with the plan of today; raises ValueError if it lacks a mark."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{plan()}\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        DOCUMENT.write_text(drawn(DOCUMENT.read_text()))
    else:
        print(plan())  # noqa: T201
    sys.exit(f"imports that go up or sideways: {upward()}" if upward() else 0)
