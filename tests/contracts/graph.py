"""What the code says about the graph: the files that a stage imports, and the sections that it loads."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


@cache
def imports(file: Path) -> frozenset[Path]:
    """The files of src that a file imports directly."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            path = SRC / name.replace(".", "/")
            found |= {part for part in (path.with_suffix(".py"), path / "__init__.py") if part.is_file()}
    return frozenset(file for file in found if file.read_text().strip())  # an empty __init__ decides nothing


def closure(script: Path) -> set[Path]:
    """Every file of src that a script imports, directly or not."""
    seen: set[Path] = set()
    coming = [script]
    while coming:
        new = imports(coming.pop()) - seen
        seen |= new
        coming += new
    return seen


def sections(script: Path) -> set[str]:
    """The names in params.yaml that a stage's script reads: the texts given to `load`, `section`, `choice`,
    `values` and `settings`."""
    names = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "compared":
            names |= {"methods", "extra_methods"}
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("load", "section", "choice", "values", "settings")
        ):
            names |= {
                one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
    return names


if __name__ == "__main__":  # what dvc.yaml must list for each stage
    for script in sorted((ROOT / "stages").glob("*.py")):
        print(script.stem, sorted(sections(script)))  # noqa: T201
        print("   ", ", ".join(str(file.relative_to(ROOT)) for file in sorted(closure(script))))  # noqa: T201
