"""README.md, CONTRIBUTING.md, docs/ and the comments of params.yaml: complete, and true of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from contracts.graph import ROOT, SRC
from vltune.cli import app
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.params import read
from vltune.report.readme import insert

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PARAMS = ROOT / "params.yaml"
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
MOST_BYTES, LONGEST_LINE = 9_000, 110
TERMINAL_COLUMNS = 160
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code(page: Path) -> str:
    """All code of a page: its blocks, and what is between backticks."""
    text = page.read_text()
    return "\n".join([*BLOCK.findall(text), *re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))])


def anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, by GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> set[str]:
    """The commands of `vltune`."""
    return {command.name or command.callback.__name__ for command in app.registered_commands}


def parameters() -> set[str]:
    """The parameters in the sections of params.yaml, named as `dvc exp run -S` does."""
    sections = {name: content for name, content in read(PARAMS).items() if isinstance(content, dict)}
    return {f"{name}.{key}" for name, content in sections.items() for key in content}


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= MOST_BYTES


def test_the_result_is_what_the_pipeline_wrote() -> None:
    assert insert(README, (ROOT / "metrics/readme.md").read_text()) == README, "run `make readme`"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(InputError, match=r"README.md: expected the marks"):
        insert("# a page", "a table")


def test_the_picture_of_the_graph_has_every_stage_and_no_other() -> None:
    picture = README.split("```mermaid\n")[1].split("```")[0]
    assert set(re.findall(r"[a-z_]+", picture)) - {"flowchart"} == set(read(ROOT / "dvc.yaml")["stages"])


def test_the_source_tree_has_a_line_for_every_room_and_no_other() -> None:
    tree = README.split("src/vltune/\n")[1].split("\n```")[0]
    named = re.findall(r"^ +(\w+)/ +\S", tree, re.MULTILINE)
    folders = [file.parent for file in (SRC / "vltune").rglob("__init__.py")]
    assert sorted(named) == sorted(folder.name for folder in folders if folder != SRC / "vltune")


@by_page
def test_every_link_has_a_target(page: Path) -> None:
    links = ["".join(pair) for pair in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', page.read_text())]
    for link in [link for link in links if "://" not in link]:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@by_page
def test_every_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    paths = r"`((?:benchmarks|metrics|plots|results|src|stages|tests)/[\w./-]+)`"
    names = re.findall(paths, page.read_text())
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_readme_links_every_page() -> None:
    links = set(re.findall(r"\]\(([^)#\s]+)", README))
    assert {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"} <= links


@by_page
def test_every_target_command_and_parameter_that_is_named_exists(page: Path) -> None:
    text = code(page)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    assert set(re.findall(r"(?:^|\$ )vltune ([a-z]+)", text, re.MULTILINE)) <= commands()
    assert set(re.findall(r"-S '?([\w.]+)=", text)) <= parameters() | set(read(PARAMS))


def test_every_command_has_its_section() -> None:
    headings = " ".join(re.findall(r"^## (.+)$", (ROOT / "docs/cli.md").read_text(), re.MULTILINE))
    assert commands() & set(headings.split()) == commands()


def test_every_parameter_has_a_comment_on_its_line() -> None:
    lines = PARAMS.read_text().splitlines()
    keys = [line for line in lines if re.match(r" *\w+:", line)]
    assert len(keys) == len(parameters()) + len(read(PARAMS))
    assert [line for line in keys if not re.search(r": .*# \S", line)] == []
    assert max(map(len, lines)) <= LONGEST_LINE


@pytest.mark.parametrize(("change", "line"), [
    ("lora.rank=1024", "  rank: 1024"), ("budget.trained_share=0.003", "  trained_share: 0.003"),
    ("method=prefix", "method: prefix"), ("seeds=[1]", "- 1"),
    ("full.learning_rate.vqa=0.01", "  learning_rate: {caption: 0.0004, vqa: 0.01}"),
])
def test_comments_survive_an_experiment(tmp_path: Path, change: str, line: str) -> None:
    """`-S` rewrites the file and replaces every list, with the comments and empty lines that follow it."""
    copy = tmp_path / "params.yaml"
    copy.write_text(PARAMS.read_text())
    apply_overrides(copy, [change])
    pairs = zip(PARAMS.read_text().splitlines(), copy.read_text().splitlines(), strict=True)
    [(old, new)] = [pair for pair in pairs if pair[0] != pair[1]]
    assert new.partition("#")[0].rstrip() == line
    assert new.partition("#")[2] == old.partition("#")[2]


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_the_table_of_experiments_fits_a_terminal(page: str) -> None:
    """The columns of `dvc exp show`: the experiment, the metrics that remain, and two changed parameters."""
    call = re.search(r"dvc exp show --only-changed --drop '([^']+)'", (ROOT / page).read_text())
    contents = [read_json(ROOT / f"metrics/{name}.json") for name in ("summary", "cost")]
    tasks = [f"{key}.{name}" for content in contents for key in ("caption", "vqa") for name in content[key]]
    others = [key for content in contents for key in content if key not in ("caption", "vqa", "method")]
    kept = [name for name in [*tasks, *others, "Created"] if not re.match(call[1], name)]
    assert {"caption.CIDEr", "vqa.accuracy"} <= set(kept)
    experiment, parameter = 30, 23
    assert experiment + sum(len(name) + 3 for name in kept) + 2 * parameter <= TERMINAL_COLUMNS


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_the_table_of_experiments_hides_no_parameter(page: str) -> None:
    call = re.search(r"dvc exp show --only-changed --drop '([^']+)'", (ROOT / page).read_text())
    content = read(PARAMS)
    sections = {name: value for name, value in content.items() if isinstance(value, dict)}
    keys = [f"{name}.{key}" for name, section in sections.items() for key in section]
    keys += [name for name in content if name not in sections]
    assert not [key for key in keys if re.match(call[1], key)]
