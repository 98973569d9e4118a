"""What a method is, and what is done once for all of them.

A method is a module of this folder with three names: a frozen `Config`, whose fields are exactly its section of
params.yaml; `attach(decoder, settings, generator) -> list[str]`, which puts new modules at the decoder's sites and
returns the full names of the parameters to train; and `count(shape, settings) -> int`, the formula of their number.
`SIZE` names the field that a budget is solved for, where there is one; `resize` does more than set it, where more is needed.
Everything else is decided here and in `training/audit.py`, from that one list.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from vltune.model.decoder import Decoder
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import Section, nearest

NOT_METHODS = ("__init__", "interface", "checkpoint")


@dataclass(frozen=True)
class LogUniform:
    """Where a search looks for a field's value: from `low` to `high`, each factor as likely as any other of its size.

    It stands in the field's annotation; the ranges of all methods span the same factor, so that none is searched more finely.
    """

    low: float
    high: float

    def at(self, share: float) -> float:
        """Give the value at a share of the range, 0 to 1."""
        return self.low * (self.high / self.low) ** share


class Settings(Section):
    """The fields that every method's `Config` has; a method that has something to train gives `learning_rate` its range."""

    learning_rate: float = Field(ge=0)
    projector_learning_rate: Annotated[float, Field(ge=0), LogUniform(0.000175, 0.0028)]


def names() -> list[str]:
    """List the methods there are: the files of this folder."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in NOT_METHODS)


def module(name: str) -> ModuleType:
    """Import a method by name.

    Raises:
        InputError: there is no such method; gives the nearest name.
    """
    if name not in names():
        raise InputError(f"unknown method {name!r}{nearest(name, names())}; the methods are {', '.join(names())}")
    return importlib.import_module(f"vltune.methods.{name}")


def attach(decoder: Decoder, name: str, settings: Settings, generator: torch.Generator) -> list[str]:
    """Attach a method to a decoder and decide, here alone, which parameters train.

    Trained tensors are float32; the others keep their precision and get no gradient.

    Returns: the sorted full names of the trained parameters.
    Raises:
        InputError: the method is unknown, or names a parameter that the decoder does not have, or names one twice.
    """
    trained = sorted(module(name).attach(decoder, settings, generator))
    parameters = dict(decoder.named_parameters())
    unknown = [one for one in trained if one not in parameters]
    if unknown:
        raise InputError(f"method {name} wants to train {unknown[0]}, which the decoder does not have")
    if len(set(trained)) != len(trained):
        raise InputError(f"method {name} names a parameter twice")
    for one, parameter in parameters.items():
        parameter.requires_grad_(one in set(trained))
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trained


def trained_parameters(decoder: Decoder, trained: list[str]) -> dict[str, nn.Parameter]:
    """Take exactly the trained parameters by name, live: to optimise, count or copy them."""
    parameters = dict(decoder.named_parameters())
    return {name: parameters[name] for name in trained}


def has_size(name: str) -> bool:
    """Whether a method has a size that a budget can be solved for."""
    return hasattr(module(name), "SIZE")


def size_of(name: str) -> tuple[str, int, int]:
    """Give the field that is a method's size, with its smallest and largest value."""
    field = module(name).SIZE
    bounds = module(name).Config.model_fields[field].metadata
    return field, next(one.ge for one in bounds if hasattr(one, "ge")), next(one.le for one in bounds if hasattr(one, "le"))


def searchable(name: str) -> dict[str, LogUniform]:
    """Give the fields of a method that a search may set, with their ranges."""
    return {field: one for field, content in module(name).Config.model_fields.items() for one in content.metadata
            if isinstance(one, LogUniform)}


def resize(name: str, settings: Settings, size: int) -> Settings:
    """Give a method another size; what belongs to the size goes with it."""
    method = module(name)
    return method.resize(settings, size) if hasattr(method, "resize") else settings.model_copy(update={method.SIZE: size})


def fold(decoder: Decoder, name: str, trained: list[str]) -> list[str]:
    """Bring a method into the form that is saved and used (a reparametrised prefix becomes the prefix itself).

    Returns: the sorted names of the tensors that make up the method then; `trained` where nothing is to fold.
    """
    method = module(name)
    return sorted(method.fold(decoder)) if hasattr(method, "fold") else trained


def replace(decoder: Decoder, name: str, new: nn.Module) -> None:
    """Put a module at a site of the decoder, given by its full name."""
    parent, _, last = name.rpartition(".")
    setattr(decoder.get_submodule(parent), last, new)


def uniform(rows: int, columns: int, generator: torch.Generator) -> nn.Parameter:
    """Draw a weight [rows, columns] as torch's Linear does: uniform within 1 / sqrt(columns)."""
    bound = 1 / math.sqrt(columns)
    return nn.Parameter((torch.rand(rows, columns, generator=generator) * 2 - 1) * bound)
