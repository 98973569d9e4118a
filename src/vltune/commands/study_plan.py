"""A study: which runs there should be, and with which parameters.

The file results/NAME.yaml has a title, a source, `params` (dotted keys of params.yaml with their values),
`methods`, `tasks` and `seeds`; and, if runs differ in more, `variants`: by name further `params`, and lists
that replace those of the study.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from vltune.comparison.choice import START_SEED
from vltune.pipeline import paths
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import PARAMS, TASKS, Section, check, choice_of, nearest, read
from vltune.pipeline.tasks import JOINT, TRAININGS, by_task, of_training, tasks_of

RESULTS = Path("results")
METHODS = Path(__file__).parents[1] / "methods"
ONLY = "default"  # the variant of a study without variants
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
WITHOUT_EFFECT = ("claims", "attention", "costs", "report", "launch")  # sections that change no score
UNSTORED = ("fetch.path", "clipscore.weights", "train.checkpoint_seconds")  # paths; it changes no score

Settings = dict[str, dict[str, Any]]  # section, key, value


class Variant(Section):
    """Further overrides under a name; a list that is given replaces that of the study."""

    params: dict[str, Any] = Field(default_factory=dict)
    methods: list[str] | None = Field(default=None, min_length=1)
    tasks: list[str] | None = Field(default=None, min_length=1)
    seeds: list[int] | None = Field(default=None, min_length=1)


class Content(Section):
    """The content of a study's file."""

    title: str
    source: str
    methods: list[str] = Field(min_length=1)
    tasks: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    params: dict[str, Any] = Field(default_factory=dict)
    variants: dict[str, Variant] = Field(default_factory=lambda: {ONLY: Variant()}, min_length=1)


class Planned(NamedTuple):
    """The results that there should be of a run in a task; `joint`: it is trained on both tasks together."""

    variant: str
    method: str
    task: str
    seed: int
    joint: bool = False

    @property
    def name(self) -> str:
        """The name of its file, without the ending."""
        return f"{self.variant}-{self.method}-{self.task}-{self.seed}"

    @property
    def training(self) -> str:
        """The name of its training in `tasks` of params.yaml."""
        return JOINT if self.joint else self.task

    def shares(self, other: Planned) -> bool:
        """Whether one training makes both results."""
        return (self.variant, self.method, self.training, self.seed) == (
            other.variant, other.method, other.training, other.seed)


class Choice(NamedTuple):
    """A part of a study; an empty list chooses all."""

    variants: list[str]
    methods: list[str]
    tasks: list[str]
    seeds: list[int]

    def __contains__(self, run: object) -> bool:
        """Whether a planned run is in this part."""
        if not isinstance(run, Planned):
            return False
        values = ((run.variant,), (run.method,), (run.task, run.training), (run.seed,))
        return all(not chosen or any(value in chosen for value in own)
                   for chosen, own in zip(self, values, strict=True))


@dataclass(frozen=True)
class Study:
    """A study, by the name of its file below results/, and params.yaml, which it overrides."""

    name: str
    file: Path
    content: Content
    params: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of its finished runs."""
        results = self.file.parents[len(Path(self.name).parts) - 1]
        return results / "runs" / self.name

    def runs(self) -> list[Planned]:
        """List the runs in the order in which they are made: all with the first seed come first."""
        runs = []
        for name, variant in self.content.variants.items():
            for training, method in product(variant.tasks or self.content.tasks,
                                            variant.methods or self.content.methods):
                seeds = [START_SEED] if method == paths.START else variant.seeds or self.content.seeds
                runs += [(order, Planned(name, method, task, seed, training == JOINT))
                         for order, seed in enumerate(seeds) for task in tasks_of(training)]
        return [run for _, run in sorted(runs, key=lambda pair: pair[0])]

    def overrides(self, variant: str) -> dict[str, Any]:
        """Give what a variant's runs override, by dotted keys."""
        return self.content.params | self.content.variants[variant].params

    def settings(self, run: Planned) -> Settings:
        """Give all parameters on which a run's scores may depend, by section and key."""
        merged = self.sections(run.variant)
        unused = {*WITHOUT_EFFECT, *(name for name in merged if is_method(name) and name != run.method)}
        if merged["fetch"]["dataset"] != "scenes":
            unused.add("scenes")
        return {section: {key: _of_training(value, run.training) for key, value in content.items()
                          if f"{section}.{key}" not in UNSTORED}
                for section, content in merged.items() if section not in unused}

    def sections(self, variant: str) -> Settings:
        """Give all sections of params.yaml with a variant's overrides."""
        merged = {name: copy.deepcopy(content) for name, content in self.params.items()
                  if isinstance(content, dict)}
        override(merged, self.overrides(variant))
        return merged


def read_study(file: Path, root: Path) -> Study:
    """Read a study's file, and params.yaml.

    Raises:
        InputError: a file is missing or of the wrong form, the study is not in results/, or it names a
            method, task or parameter that does not exist.
    """
    content = check(Content, "study", read(file), file)
    try:
        name = file.resolve().relative_to((root / RESULTS).resolve()).with_suffix("").as_posix()
    except ValueError:
        raise InputError(f"{file}: expected a study in {root / RESULTS}, beside which its tables are "
                         "written; move it there") from None
    study = Study(name, file, content, read(root / PARAMS))
    _check_names(study)
    for variant in content.variants:
        for dotted in study.overrides(variant):
            _check_key(study, dotted)
    return study


def override(content: Any, overrides: Mapping[str, Any]) -> None:
    """Set values in params.yaml's content by their dotted keys."""
    for dotted, value in overrides.items():
        *path, key = dotted.split(".")
        mapping = content
        for name in path:
            mapping = mapping[name]
        mapping[key] = value


def _of_training(value: Any, training: str) -> Any:
    """Give what a value that is listed by task is for a training: the others do not matter to it."""
    listed = isinstance(value, dict) and set(value) <= set(TRAININGS)
    own = of_training(value, training) if listed else None
    return value if own is None else own


def is_method(name: str) -> bool:
    """Whether a section of params.yaml is that of a method."""
    return (METHODS / f"{name}.py").is_file()


def _check_names(study: Study) -> None:
    for name in study.content.variants:
        if not NAME.fullmatch(name):
            raise InputError(f"{study.file}: variant {name!r}: expected letters, digits, _, . and -")
    methods = [*filter(is_method, study.params), paths.START]
    for run in study.runs():
        choice_of(f"{study.file}: unknown method", run.method, methods)
        choice_of(f"{study.file}: unknown task", run.task, TASKS)
    runs = study.runs()
    twice = [run.name for run in runs if runs.count(run) > 1]
    if twice:
        raise InputError(f"{study.file}: the run {twice[0]} stands twice; take a method, task or seed out")
    for variant in study.content.variants.values():
        by_task(variant.tasks or study.content.tasks, f"{study.file}: 'tasks'")


def _check_key(study: Study, dotted: str) -> None:
    known = [f"{section}.{key}" for section, content in study.params.items() if isinstance(content, dict)
             for key in content]
    known += [f"{dotted}.{task}" for dotted in known for section, _, key in [dotted.partition(".")]
              if isinstance(study.params[section][key], dict) for task in TRAININGS]
    if dotted not in known:
        raise InputError(f"{study.file}: params: unknown key {dotted!r}{nearest(dotted, known)}; expected "
                         "SECTION.KEY of params.yaml, such as train.steps")
    if dotted == "fetch.path":
        raise InputError(f"{study.file}: params: fetch.path is a path of one machine; give it as --path")


def differences(stored: Settings, present: Settings, overrides: Mapping[str, Any]) -> list[str]:
    """Say in which parameters a finished run differs from what its study asks for now.

    A key that params.yaml did not have when the run was made counts only if the study sets it: the default
    of a new key leaves results as they were. Keys that no longer exist do not count.
    """
    changed = []
    for section, content in present.items():
        before = stored.get(section, {})
        for key, value in content.items():
            dotted = f"{section}.{key}"
            if key in before and before[key] != value:
                changed.append(f"{dotted} was {before[key]}, is {value}")
            elif key not in before and any(f"{name}.".startswith(f"{dotted}.") for name in overrides):
                changed.append(f"{dotted} was not set, is {value}")
    return changed
