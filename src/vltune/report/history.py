"""When the claims were made: the commit that first held them, beside the commit of the results."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

from vltune.pipeline.params import PARAMS, Yaml12
from vltune.pipeline.process import outside_git

SHORT = 12  # characters of a hash


def commits(claims: dict[str, Any]) -> dict[str, str]:
    """Name the commit since which params.yaml has held the claims, and the one that the results are of.

    Args: claims, the section `claims` as it is in params.yaml now.
    Returns: sentences by what they are about; empty outside a git repository.
    """
    newest_first = _git("log", "--format=%H %cs", "--", str(PARAMS))
    head = _git("log", "-1", "--format=%H %cs")
    if head is None:
        return {}
    first = None
    for line in (newest_first or "").splitlines():
        if _claims_at(line.split()[0]) != claims:
            break
        first = line
    changed = " with changes that are not committed" if _git("status", "--porcelain") else ""
    return {
        "claims since": _short(first) if first else "not committed: maybe made after the results",
        "results of": _short(head.strip()) + changed,
    }


def _claims_at(commit: str) -> Any:
    content = _git("show", f"{commit}:./{PARAMS}")
    try:
        return (yaml.load(content or "", Yaml12) or {}).get("claims")
    except (yaml.YAMLError, AttributeError):
        return None


def _short(line: str) -> str:
    commit, date = line.split()
    return f"{commit[:SHORT]} of {date}"


def _git(*arguments: str) -> str | None:
    """Give what git prints; None where it fails, as outside a repository."""
    try:
        return subprocess.run(["git", *arguments], env=outside_git(), check=True, capture_output=True,
                              text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
