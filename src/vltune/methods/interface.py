"""What a method is, and what is done once for all of them.

A method is one file of this folder with one class, a frozen section of params.yaml: its fields are exactly
the keys of the section that carries the file's name. It defines `attach` and `count`; the other members have
defaults here and are overridden where a method needs more. Which parameters train is decided here alone, from
the names that `attach` returns.
"""

from __future__ import annotations

import importlib
import math
from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import torch
from pydantic import BeforeValidator, Field
from torch import nn

from vltune.model.decoder import Decoder, DecoderConfig
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import Section, nearest
from vltune.pipeline.tasks import TRAININGS, of_training

NOT_METHODS = ("__init__", "interface", "checkpoint")


@dataclass(frozen=True)
class LogUniform:
    """The range in which a search looks for a field's value, uniform on a logarithmic scale.

    The ranges are two whole decades, chosen before any trial: 0.001 to 0.1 for what a method adds to the
    decoder, 0.00001 to 0.001 for the decoder's own weights, 0.0001 to 0.01 for the projector.
    """

    low: float
    high: float

    def at(self, share: float) -> float:
        """Give the value at a share of the range, 0 to 1."""
        return self.low * (self.high / self.low) ** share


def _checked_rates(value: Any) -> Any:
    rates = value if isinstance(value, dict) else {TRAININGS[0]: value}
    numbers = all(type(rate) in (int, float) and 0 <= rate < math.inf for rate in rates.values())
    if not rates or not numbers or not set(rates) <= set(TRAININGS):
        raise ValueError(f"expected a number >= 0, or a mapping with such numbers for {', '.join(TRAININGS)}")
    return value


# A learning rate: a number, or a mapping with a number for each task; a joint training may have its own.
Rates = Annotated[float | dict[str, float], BeforeValidator(_checked_rates)]


@dataclass(frozen=True)
class PeftForm:
    """A method in Hugging Face's PEFT: what adapter_config.json
    holds, and how PEFT names and shapes the tensors.

    `fields` maps keys of adapter_config.json to fields of the method; `fixed` are keys with one possible
    value. `linears` maps keys that list linears to the sites listed, or to the field that lists them.
    `tensors` maps the last part of a parameter's name to PEFT's name for it; `shapes` gives PEFT's shape of
    the parameter by site, where it is another one.
    """

    type: str
    fields: dict[str, str]
    tensors: dict[str, str]
    fixed: dict[str, Any] = field(default_factory=dict)
    linears: dict[str, tuple[str, ...] | str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, int]] = field(default_factory=dict)


class Method(Section):
    """A method and its settings; `attach` and `count` must be defined.

    Fields: `dropout` is the share of values that are dropped in training, where the method's paper does it.

    Class attributes: `SIZE`, the field that a budget is solved for, or None; `STARTS_AS_BASE`, whether the
    decoder computes the same right after `attach`; `RANDOM`, whether `attach` draws initial weights;
    `OWN_DROPOUT`, whether `attach` places the dropout, which is residual otherwise; `TINY`,
    the values of all fields but the learning rates with which tests try the method on a decoder of two
    layers; `PEFT`, its form in Hugging Face's PEFT, or None.
    """

    learning_rate: Rates
    projector_learning_rate: Annotated[Rates, LogUniform(1e-4, 1e-2)]
    dropout: float = Field(ge=0, lt=1)

    SIZE: ClassVar[str | None] = None
    STARTS_AS_BASE: ClassVar[bool] = True
    RANDOM: ClassVar[bool] = True
    OWN_DROPOUT: ClassVar[bool] = False
    TINY: ClassVar[dict[str, Any]] = {"dropout": 0.0}
    PEFT: ClassVar[PeftForm | None] = None

    @abstractmethod
    def attach(self, decoder: Decoder, generator: torch.Generator) -> list[str]:
        """Put new modules at the decoder's sites; give the full names of the parameters to train."""

    @abstractmethod
    def count(self, config: DecoderConfig) -> int:
        """Count the parameters to train on a decoder of these
        sizes, by the closed formula of the file's docstring."""

    def of_task(self, task: str) -> Self:
        """Give the method with the learning rates of a task or of the joint training, as numbers.

        Raises:
            InputError: a rate is given for other tasks alone.
        """
        rates = {}
        for name in ("learning_rate", "projector_learning_rate"):
            rates[name] = of_training(value := getattr(self, name), task)
            if rates[name] is None:
                raise InputError(f"{self.title()}.{name} in params.yaml has no rate for '{task}'; it has one "
                                 f"for {' and '.join(value)}")
        return self.model_copy(update=rates)

    def resized(self, size: int) -> Self:
        """Give the method with another size; whatever scales with the size is changed with it."""
        return self.model_copy(update={self.SIZE: size})

    def fold(self, decoder: Decoder, trained: list[str]) -> list[str]:  # noqa: ARG002 - for those that override it
        """Bring the trained modules into the form that is saved and used; give the names of its parameters.

        A reparametrised prefix, for example, becomes the prefix that it computes.
        """
        return trained

    def merge(self, decoder: Decoder) -> None:
        """Merge the trained modules into the decoder's own weights, as far as the mathematics allows."""

    @classmethod
    def title(cls) -> str:
        """Give the method's name: that of its file and its section."""
        return cls.__module__.rpartition(".")[2]


def names() -> list[str]:
    """List the methods: the files of this folder."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in NOT_METHODS)


def method(name: str) -> type[Method]:
    """Import a method's class by the name of its file.

    Raises:
        InputError: there is no such method; gives the nearest name.
        TypeError: the file does not define exactly one method.
    """
    if name not in names():
        raise InputError(
            f"unknown method {name!r}{nearest(name, names())}; the methods are {', '.join(names())}"
        )
    module = importlib.import_module(f"{__package__}.{name}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__file__}: expected one class derived from Method, found {len(classes)}")
    return classes[0]


def attach(decoder: Decoder, settings: Method, generator: torch.Generator) -> list[str]:
    """Attach a method to a decoder and decide, here alone, which parameters train.

    Trained tensors are float32; the others keep their precision and get no gradient.

    Returns: the sorted full names of the trained parameters.
    Raises:
        InputError: the method names a parameter that the decoder does not have, or names one twice.
    """
    trained = sorted(settings.attach(decoder, generator))
    if not settings.OWN_DROPOUT:
        residual_dropout(decoder, settings.dropout)
    parameters = dict(decoder.named_parameters())
    unknown = [name for name in trained if name not in parameters]
    if unknown:
        raise InputError(
            f"method {settings.title()} wants to train {unknown[0]}, which the decoder does not have"
        )
    if len(set(trained)) != len(trained):
        raise InputError(f"method {settings.title()} names a parameter twice")
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in set(trained))
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trained


def trained_parameters(decoder: Decoder, trained: list[str]) -> dict[str, nn.Parameter]:
    """Take exactly the trained parameters by name, live: to optimise, count or copy them."""
    parameters = dict(decoder.named_parameters())
    return {name: parameters[name] for name in trained}


def size_range(cls: type[Method]) -> tuple[int, int]:
    """Give the smallest and the largest value of the field that is a method's size."""
    bounds = cls.model_fields[cls.SIZE].metadata
    return next(bound.ge for bound in bounds if hasattr(bound, "ge")), next(
        bound.le for bound in bounds if hasattr(bound, "le")
    )


def searchable(cls: type[Method]) -> dict[str, LogUniform]:
    """Give the fields of a method that a search may set, with their ranges."""
    return {
        name: mark
        for name, content in cls.model_fields.items()
        for mark in content.metadata
        if isinstance(mark, LogUniform)
    }


def replace(decoder: Decoder, name: str, new: nn.Module) -> None:
    """Put a module at a site of the decoder, given by its full name."""
    parent, _, last = name.rpartition(".")
    setattr(decoder.get_submodule(parent), last, new)


def dropout(rate: float) -> nn.Module:
    """Give a dropout, which is the identity where nothing is dropped.

    Source: Srivastava et al. 2014, section 4.
    """
    return nn.Dropout(rate) if rate else nn.Identity()


def residual_dropout(decoder: Decoder, rate: float) -> None:
    """In training, drop values of the outputs of attention and MLP before the residual sums.

    It is for methods without modules of their own.

    Source: Vaswani et al. 2017, section 5.4; Radford et al. 2019 (GPT-2) for its use in decoders.
    """
    for i in range(len(decoder.blocks) if rate else 0):
        for site in ("after_attention", "after_mlp"):
            replace(decoder, f"blocks.{i}.{site}", nn.Dropout(rate))


def uniform(rows: int, columns: int, generator: torch.Generator) -> nn.Parameter:
    """Draw a weight [rows, columns] as torch's Linear does: uniform within 1 / sqrt(columns)."""
    bound = 1 / math.sqrt(columns)
    return nn.Parameter((torch.rand(rows, columns, generator=generator) * 2 - 1) * bound)
