"""Since which commit the claims have stood."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vltune.report import history


def commit(text: str) -> str:
    Path("params.yaml").write_text(text)
    for arguments in (["add", "-A"], ["commit", "-qm", "a change"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout[:history.SHORT]


def test_the_first_commit_of_the_claims_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert history.commits({"seeds": 5}) == {}
    subprocess.run(["git", "init", "-q"], check=True)
    commit("claims: {seeds: 5}\n")
    commit("claims: {seeds: 3}\n")
    first = commit("claims: {seeds: 5}\n")
    last = commit("claims: {seeds: 5}\ntrain: {steps: 1}\n")
    told = history.commits({"seeds": 5})
    assert told["claims since"].startswith(f"{first} of 2")
    assert told["results of"].startswith(f"{last} of 2")
    assert "changes" not in told["results of"]
    Path("params.yaml").write_text("claims: {seeds: 6}\n")
    told = history.commits({"seeds": 6})
    assert told["claims since"] == "not committed: maybe made after the results"
    assert told["results of"].endswith("with changes that are not committed")


def test_a_git_hook_of_another_repository_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook sets GIT_DIR, as in a `dvc repro` that git starts."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    head = commit("claims: {seeds: 5}\n")
    subprocess.run(["git", "init", "-q", "--bare", "another.git"], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another.git"))
    assert history.commits({"seeds": 5})["claims since"].startswith(f"{head} of 2")
