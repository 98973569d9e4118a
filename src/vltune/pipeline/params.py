"""params.yaml -> frozen, typed, checked sections.

A section is a subclass of `Section`; `load(SectionClass, name)` reads the part of params.yaml of that name.
It is read with PyYAML by YAML 1.2's rules, as DVC reads it (`1e-3` is a number, `yes` is text), and checked
by pydantic, strictly: no text for a number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from vltune.pipeline.errors import InputError

PARAMS = Path("params.yaml")
TASKS = ("caption", "vqa")
# Keys of earlier versions, by their names now.
RENAMED = {
    "connector_learning_rate": "projector_learning_rate", "evenness": "std_exponent",
    "sharpness": "logit_scale", "places": "position_scale", "tag_sharpness": "tag_logit_scale",
}


class Yaml12(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """PyYAML's safe loader with the scalars of YAML 1.2's core
    schema, and without repeated keys, as DVC reads a file."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raises ConstructorError at the second of two equal keys."""
        keys = [
            self.construct_object(key, deep=True)
            for key, _ in node.value
            if key.tag != "tag:yaml.org,2002:merge"
        ]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", node.value[i][0].start_mark
                )
        return super().construct_mapping(node, deep)


REAL = (r"([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+([eE][-+][0-9]+)?"
        r"|\.(inf|Inf|INF))")
SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "float": (rf"[-+]?{REAL}|\.(nan|NaN|NAN)", "-+0123456789."),
    "int": (r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9_]+)", "-+0123456789"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
}
# as in YAML 1.1, whose other rules are replaced
KEPT = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:timestamp")
Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag in KEPT]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}
for scalar, (pattern, first_letters) in SCALARS.items():
    Yaml12.add_implicit_resolver(
        f"tag:yaml.org,2002:{scalar}", re.compile(rf"^(?:{pattern})$"), list(first_letters)
    )
Yaml12.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _integer(loader.construct_scalar(node)))
Yaml12.add_constructor("tag:yaml.org,2002:float", lambda loader, node: _real(loader.construct_scalar(node)))


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
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Yaml12)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the root of the repository") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of sections, found {type(content).__name__}")
    return content


def load(section_type: type[S], name: str, path: Path = PARAMS) -> S:
    """Read and check one section.

    Raises:
        InputError: the section is missing, or a key is unknown, missing, of a wrong type or out of range;
            the message names section and key, and the nearest valid name.
    """
    content = read(path)
    if name not in content:
        raise InputError(f"{path}: section '{name}' is missing{nearest(name, content)}")
    return check(section_type, name, content[name], path)


def check(section_type: type[S], name: str, value: Any, path: Path = PARAMS) -> S:
    """Check one section that has been read; raises InputError as `load` does."""
    if not isinstance(value, dict | None):
        raise InputError(f"{path}: section '{name}' must hold keys, found {value!r}")
    try:
        return section_type.model_validate(value or {})
    except ValidationError as error:
        lines = [_explain(name, problem, list(section_type.model_fields)) for problem in error.errors()]
        raise InputError(f"{path}: " + "; ".join(lines)) from None


def choice(name: str, allowed: list[str], path: Path = PARAMS) -> str:
    """Read a single value at the top level that must be one of `allowed`, such as `method`."""
    return choice_of(f"{path}: unknown {name}", read(path).get(name), allowed)


def choice_of(what: str, value: Any, allowed: Sequence[str]) -> str:
    """Check that a value is one of `allowed`; InputError begins with `what` and gives the nearest."""
    if value not in allowed:
        raise InputError(
            f"{what} {value!r}{nearest(str(value), allowed)}; choose one of {', '.join(allowed)}"
        )
    return value


def nearest(name: str, valid: Any) -> str:
    """Say the valid name that is nearest to a misspelt one, as an end to a message; empty if none is near."""
    close = difflib.get_close_matches(str(name), [str(v) for v in valid], n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _explain(section: str, problem: Any, fields: list[str]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden" and key in RENAMED:
        return f"key '{key}' in section '{section}' is now called '{RENAMED[key]}'"
    if problem["type"] == "extra_forbidden":
        return (f"unknown key '{key}' in section '{section}'{nearest(key, fields)}; valid keys: "
                f"{', '.join(fields)}")
    if problem["type"] == "missing":
        return f"key '{key}' is missing in section '{section}'"
    message = problem["msg"].removeprefix("Value error, ")
    return f"key '{section}.{key}' = {problem['input']!r}: {message[0].lower()}{message[1:]}"


def _integer(text: str) -> int:
    sign, digits = (-1 if text[0] == "-" else 1), text.replace("_", "").lstrip("+-")
    bases = {"0b": 2, "0o": 8, "0x": 16}
    return sign * (int(digits[2:], bases[digits[:2]]) if digits[:2] in bases else int(digits))


def _real(text: str) -> float:
    return float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
