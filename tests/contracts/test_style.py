"""The house's rules that a machine can check; ruff checks the others."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from contracts import rooms
from contracts.graph import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
SCRIPTS = sorted((ROOT / "stages").glob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_SCRIPT = 40, 250, 50
LONGER = {"train": 48}  # training/train.py: the steps of one training, in their order, are its subject
# Names that tell nothing of the thing; its own name (parameter, row, path, scores) takes their place.
FILLERS = {"one", "found", "said", "kind", "place"}
CONFIGURATION = {"config", "cfg", "args", "params", "opts", "kwargs"}
EMPTY_WORDS = re.compile(r"^(utils?|helpers?|misc|common|tmp|stuff)$")


def git_files(*options: str) -> list[str]:
    return subprocess.run(["git", "ls-files", *options], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout.splitlines()


def named(files: list[Path]) -> list:
    return [pytest.param(file, id=str(file.relative_to(ROOT))) for file in files]


@cache
def nodes(file: Path) -> list[ast.AST]:
    """The syntax tree of a file, walked once for all tests."""
    return list(ast.walk(ast.parse(file.read_text())))


def functions(file: Path) -> list[ast.FunctionDef]:
    return [node for node in nodes(file) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("file", named(SOURCES))
def test_sizes(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST_FILE
    for function in functions(file):
        lines = function.end_lineno - function.lineno + 1
        assert lines <= LONGER.get(function.name, LONGEST_FUNCTION), f"{function.name} has {lines} lines"


@pytest.mark.parametrize("file", named(SCRIPTS))
def test_a_stage_script_is_short_and_has_only_main(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST_SCRIPT
    assert [f.name for f in functions(file)] == ["main"]


def test_imports_go_down() -> None:
    assert not rooms.upward()


def test_every_room_is_on_a_floor() -> None:
    standing = {rooms.room(file) for file in SOURCES if file.read_text().strip()} - {"__init__.py"}
    assert standing == {name for names in rooms.FLOORS for name in names}


def test_the_plan_in_the_document_is_the_one_of_today() -> None:
    text = rooms.DOCUMENT.read_text()
    assert rooms.drawn(text) == text, "run `make architecture`"


KEYS = {"src/vltune/training/align.py": {"kind": 1}}  # keys of params.yaml, in their section's class


def fillers(file: Path) -> Counter[str]:
    """How often a file binds each of FILLERS to a variable, an argument or an attribute."""
    names = []
    for node in nodes(file):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.append(name)
            case ast.arg(arg=name):
                names.append(name)
    return Counter(name for name in names if name in FILLERS)


def test_no_name_is_a_filler() -> None:
    counts = {str(file.relative_to(ROOT)): dict(fillers(file)) for file in [*SOURCES, *SCRIPTS]}
    used = {file: names for file, names in counts.items() if names and names != KEYS.get(file)}
    assert not used, "\n".join(["filler names:", *(f"{file}: {names}" for file, names in used.items())])


@pytest.mark.parametrize("layer", ["metrics", "comparison", "report"])
def test_scoring_and_reporting_do_not_need_torch(layer: str) -> None:
    for file in (ROOT / "src/vltune" / layer).glob("*.py"):
        if file.name == "clip_model.py":  # imported where CLIPScore is asked for, and nowhere else
            continue
        assert not re.search(r"^\s*(import|from) torch", file.read_text(), re.MULTILINE), file


@pytest.mark.parametrize("file", named(SOURCES))
def test_configuration_stops_at_the_stage(file: Path) -> None:
    for function in functions(file):
        arguments = {one.arg for one in [*function.args.args, *function.args.kwonlyargs]
                     if not (one.annotation and ast.unparse(one.annotation) == "DecoderConfig")}
        assert not arguments & CONFIGURATION, f"{function.name} takes {arguments & CONFIGURATION}"
        assert not [name for name in arguments if EMPTY_WORDS.match(name)]
    assert not EMPTY_WORDS.match(file.stem)


def test_requires_grad_is_decided_in_one_place() -> None:
    writing = re.compile(r"requires_grad_\(|\.requires_grad\s*=[^=]")
    writers = {file.name for file in SOURCES if writing.search(file.read_text())}
    assert writers == {"interface.py"}


@pytest.mark.parametrize("folder", ["pipeline", "data", "model", "preprocessing", "training", "prediction",
                                    "metrics", "comparison", "report"])
def test_no_method_is_known_by_name(folder: str) -> None:
    others = ("__init__", "interface", "checkpoint", "connector")
    methods = [file.stem for file in (ROOT / "src/vltune/methods").glob("*.py") if file.stem not in others]
    for file in [*(ROOT / "src/vltune" / folder).glob("*.py"), *SCRIPTS]:
        text = re.sub(r'""".*?"""', "", file.read_text(), flags=re.DOTALL)
        assert not re.search(rf"""["']({'|'.join(methods)})["']""", text), file


@pytest.mark.parametrize("file", named([*sorted((ROOT / "src/vltune/methods").glob("[a-z]*.py"))]))
def test_a_method_says_where_it_comes_from_and_how_much_it_trains(file: Path) -> None:
    text = ast.get_docstring(ast.parse(file.read_text()))
    assert file.stem in ("interface", "checkpoint") or ("Source:" in text and "Trained parameters:" in text)


def test_forward_and_generate_write_nothing_on_self() -> None:
    for file in SOURCES:
        for function in functions(file):
            if function.name in ("forward", "generate"):
                stored = [node for node in ast.walk(function)
                          if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
                written = [node.attr for node in stored if ast.unparse(node.value) == "self"]
                assert not written, f"{file.name}: {function.name} writes {written[0]}"
        owners = [node for node in nodes(file) if isinstance(node, ast.ClassDef)]
        for method in (node for owner in owners for node in owner.body):
            assert getattr(method, "name", "") not in ("train", "eval"), file


def test_no_file_names_a_package_index_or_this_machine() -> None:
    words = ("py" + r"pi\.org", "python" + "hosted", "registry.npm" + "js", "/wo" + "rk/")
    banned = re.compile("|".join(words))
    for name in git_files("-co", "--exclude-standard"):
        file = ROOT / name
        if file.is_file() and file.suffix not in (".png", ".jpg"):
            assert not banned.search(file.read_text(errors="replace")), name


def test_nothing_large_is_in_git() -> None:
    sizes = {name: (ROOT / name).stat().st_size for name in git_files() if (ROOT / name).is_file()}
    assert not {name: size for name, size in sizes.items() if size > 1_000_000}
