"""params.yaml -> frozen, typed, checked sections.

A section is a subclass of `Section`; `load(SectionClass)` reads the part of params.yaml of that name. Read with
ruamel.yaml (YAML 1.2, as DVC does: `1e-3` is a number) and checked by pydantic, strictly: no text for a number.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from vltune.pipeline.errors import InputError

PARAMS = Path("params.yaml")
TASKS = ("caption", "vqa")


class Section(BaseModel):
    """Base of every section: frozen, strictly typed, without room for an unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


S = TypeVar("S", bound=Section)


def read(path: Path = PARAMS) -> dict[str, Any]:
    """Read the whole file as a dictionary.

    Raises:
        InputError: the file is missing, is not YAML or is not a mapping.
    """
    try:
        content = YAML(typ="safe").load(Path(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the root of the repository") from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of sections, found {type(content).__name__}")
    return content


def load(kind: type[S], name: str, path: Path = PARAMS) -> S:
    """Read and check one section.

    Raises:
        InputError: the section is missing, or a key is unknown, missing, of a wrong type or out of range;
            the message names section and key, and the nearest valid name.
    """
    content = read(path)
    if name not in content:
        raise InputError(f"{path}: section '{name}' is missing{nearest(name, content)}")
    return check(kind, name, content[name], path)


def check(kind: type[S], name: str, value: Any, path: Path = PARAMS) -> S:
    """Check one section that has been read; raises InputError as `load` does."""
    if not isinstance(value, dict | None):
        raise InputError(f"{path}: section '{name}' must hold keys, found {value!r}")
    try:
        return kind.model_validate(value or {})
    except ValidationError as error:
        lines = [_explain(name, problem, list(kind.model_fields)) for problem in error.errors()]
        raise InputError(f"{path}: " + "; ".join(lines)) from None


def choice(name: str, allowed: list[str], path: Path = PARAMS) -> str:
    """Read a single value at the top level that must be one of `allowed`, such as `method`."""
    return choice_of(f"{path}: unknown {name}", read(path).get(name), allowed)


def choice_of(what: str, value: Any, allowed: Sequence[str]) -> str:
    """Check that a value is one of `allowed`; InputError begins with `what` and gives the nearest."""
    if value not in allowed:
        raise InputError(f"{what} {value!r}{nearest(str(value), allowed)}; choose one of {', '.join(allowed)}")
    return value


def nearest(name: str, valid: Any) -> str:
    """Say the valid name that is nearest to a misspelt one, as an end to a message; empty if none is near."""
    close = difflib.get_close_matches(str(name), [str(v) for v in valid], n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _explain(section: str, problem: Any, fields: list[str]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{key}' in section '{section}'{nearest(key, fields)}; valid keys: {', '.join(fields)}"
    if problem["type"] == "missing":
        return f"key '{key}' is missing in section '{section}'"
    return f"key '{section}.{key}' = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
