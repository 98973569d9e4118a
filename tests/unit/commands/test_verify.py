"""What differs between two locks, and what is said about it; the pipeline's test makes a whole graph
again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from vltune.commands import verify
from vltune.pipeline import environment
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import write_json

ORDER = ["fetch", "train_lora", "report"]
HERE = {"cpu": "A", "threads": 2, "torch": "2.14.1"}


def lock(**changed: str) -> dict:
    """Three stages; each file's hash is its own path unless it is changed."""
    def files(*paths: str) -> list[dict]:
        return [{"path": path, "md5": changed.get(path, path)} for path in paths]

    return {
        "fetch": {"deps": files("stages/fetch.py"), "outs": files("data/raw")},
        "train_lora@caption-0": {
            "deps": files("data/raw"), "outs": files("models/lora", "data/resources/lora/caption-0.json"),
        },
        "report": {
            "deps": files("data/resources"), "outs": files("metrics/comparison.csv", "metrics/resources.csv"),
        },
    }


def test_timings_are_not_compared() -> None:
    assert {path for _, path in verify.hashes(lock())} == {
        "stages/fetch.py", "data/raw", "models/lora", "metrics/comparison.csv",
    }
    other = lock(
        **{"data/resources": "x", "data/resources/lora/caption-0.json": "x", "metrics/resources.csv": "x"}
    )
    assert verify.differences(lock(), other, ORDER) == []


def test_differences_come_in_the_order_of_the_pipeline_and_once() -> None:
    found = verify.differences(lock(), lock(**{"metrics/comparison.csv": "y", "data/raw": "x"}), ORDER)
    assert [(one.stage, one.path, one.committed, one.here) for one in found] == [
        ("fetch", "data/raw", "data/raw", "x"),
        ("report", "metrics/comparison.csv", "metrics/comparison.csv", "y"),
    ]
    assert str(found[0]) == "  fetch: data/raw: committed data/raw, here x"


def test_stages_of_one_side_alone() -> None:
    short = {name: one for name, one in lock().items() if name != "report"}
    assert verify.differences(lock(), short, ORDER) == []
    assert [(one.path, one.committed) for one in verify.differences(short, lock(), ORDER)] == [
        ("metrics/comparison.csv", None)
    ]


@pytest.mark.parametrize(("changed", "before", "after", "said"), [
    ("models/lora", [HERE], [HERE | {"threads": 1}], "threads was 2, here 1"),
    ("models/lora", [HERE], [HERE | {"cpu": "B", "torch": "2.15"}],
     "cpu was A, here B; torch was 2.14.1, here 2.15"),
    ("models/lora", [HERE, HERE | {"threads": 4}], [HERE], "threads was 2 and 4, here 2"),
    ("models/lora", [HERE | {"runs": ["a"]}], [HERE | {"runs": ["b"]}],
     "unknown; CPU type, threads and packages are the same. Check the "
                                                                      "inputs and the random numbers of "
                                                                      "stage train_lora@caption-0"),
    ("models/lora", [], [HERE], "unknown, since metrics/environment.json is not committed"),
    ("stages/fetch.py", [HERE], [HERE | {"threads": 1}],
     r"dvc.lock was made with other code (stages/fetch.py); run `dvc repro`"),
])
def test_the_likely_cause(changed: str, before: list, after: list, said: str) -> None:
    assert verify.cause(verify.differences(lock(), lock(**{changed: "x"}), ORDER), before, after).startswith(
        said
    )


def git(folder: Path, *words: str) -> None:
    who = [part for name in ("name", "email") for part in ("-c", f"user.{name}=vltune@example.invalid")]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with nothing but a graph, its lock and an environment."""
    root = tmp_path / "repository"
    (root / "metrics").mkdir(parents=True)
    YAML().dump({"stages": {stage: {} for stage in ORDER}}, root / "dvc.yaml")
    YAML().dump({"stages": lock()}, root / "dvc.lock")
    write_json(root / environment.GATHERED, [HERE])
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "state")
    return root


def pretend(monkeypatch: pytest.MonkeyPatch, made: dict, where: dict = HERE) -> list[Path]:
    """Let a run of the pipeline be the writing of its lock."""
    clones: list[Path] = []

    def repro(clone: Path) -> None:
        clones.append(clone)
        assert not (clone / "dvc.lock").exists()
        YAML().dump({"stages": made}, clone / "dvc.lock")
        write_json(clone / environment.GATHERED, [where])

    monkeypatch.setattr(verify, "repro", repro)
    return clones


def test_equal_hashes_are_counted_and_the_clone_is_removed(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    clones = pretend(monkeypatch, lock())
    (repository / "new").write_text("not committed")
    verify.main(repository, None)
    told = capsys.readouterr()
    assert "5 hashes of 3 stages are equal" in told.out  # data/raw twice: as an output and as an input
    assert "HEAD is verified" in told.err
    assert not clones[0].exists()


def test_a_difference_fails_with_its_cause(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    pretend(monkeypatch, lock(**{"models/lora": "x"}), HERE | {"threads": 1})
    with pytest.raises(
        InputError,
        match=r"1 hashes of \w{12} differ, the first is that of models/lora. Likely cause: threads was 2",
    ):
        verify.main(repository, tmp_path / "kept")
    assert "train_lora@caption-0: models/lora: committed models/lora, here x" in capsys.readouterr().out
    assert (tmp_path / "kept/dvc.yaml").is_file()
    with pytest.raises(InputError, match="kept: is not empty"):
        verify.main(repository, tmp_path / "kept")


def test_a_place_without_results_is_named(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="bare: git rev-parse failed: fatal: not a git repository"):
        verify.main(tmp_path / "bare", None)
    git(repository, "rm", "-q", "dvc.lock")
    git(repository, "commit", "-qm", "without")
    with pytest.raises(InputError, match=r"dvc\.lock is not committed; run `dvc repro`"):
        verify.main(repository, None)
