"""Matched budgets: the size of each method (rank, bottleneck,
length) solved so that all train as many parameters."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Literal

from pydantic import Field

from vltune.methods.interface import Method, size_range
from vltune.model.decoder import DecoderConfig
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import Section

# What may be trained in homework 3 of NTU DLCV, by year: fewer parameters than this, the projector's too.
COURSE = {2023: 35_000_000, 2024: 10_000_000, 2025: 10_000_000}


class Budget(Section):
    """Section `budget`: how much of the decoder every method that has a size
    trains, as a share of its parameters or as a number (both empty: the methods'
    own sizes), by which share of it the nearest size may miss it, and the edition of the course NTU DLCV
    whose limit a run must keep."""

    trained_share: float | None = Field(gt=0, le=1)
    trained_parameters: int | None = Field(ge=1)
    course: Literal[2023, 2024, 2025] | None
    tolerance: float = Field(ge=0)


def solve(
    settings: Method, config: DecoderConfig, budget: Budget | None
) -> tuple[Method, dict[str, Any] | None]:
    """Give a method the size whose count of trained parameters is nearest to the budget.

    Args: budget, None for a method without a size, which keeps its
        settings, as all do where the section asks for nothing.
    Returns: the settings, and what the checkpoint says of them: the target, the size and the deviation from
        the target, a share of it; None where nothing was solved.

    Raises:
        InputError: both forms of a budget are given, or no size
            comes within the tolerance; says the nearest sizes.
    """
    method, target = settings.title(), None if budget is None else _target(config, budget)
    if budget is None or target is None:
        return settings, None
    smallest, largest = size_range(type(settings))

    def count_at(size: int) -> int:
        return settings.resized(size).count(config)

    above = min(largest, smallest + bisect_left(range(smallest, largest + 1), target, key=count_at))
    near = [size for size in (above - 1, above) if size >= smallest]
    size = min(near, key=lambda size: abs(count_at(size) - target))
    deviation = count_at(size) / target - 1
    if abs(deviation) > budget.tolerance:
        sizes = " and ".join(
            f"{size} ({count_at(size):,} parameters, {count_at(size) / target - 1:+.1%})" for size in near
        )
        raise InputError(
            f"params.yaml: {method} cannot train {target:,} parameters within budget.tolerance "
            f"{budget.tolerance:g}: the nearest for {method}.{settings.SIZE} is {sizes}; change the budget, "
            f"the tolerance, or what else {method} is made of"
        )
    return settings.resized(size), {
        "target_parameters": target, "size": {settings.SIZE: size}, "parameters": count_at(size),
        "deviation": round(deviation, 6),
    }


def _target(config: DecoderConfig, budget: Budget) -> int | None:
    """The number of parameters of the decoder that a budget
    asks for; a share is one of all that the decoder has."""
    if budget.trained_share is not None and budget.trained_parameters is not None:
        raise InputError(
            f"params.yaml: both budget.trained_share ({budget.trained_share}) and budget.trained_parameters "
            f"({budget.trained_parameters}) are given; leave one of them empty"
        )
    if budget.trained_share is not None:
        return round(budget.trained_share * config.parameters)
    return budget.trained_parameters


def check_course(settings: Method, config: DecoderConfig, budget: Budget | None, projector: int) -> None:
    """Check that a method and the projector, of so many parameters, stay below the limit of the course.

    Raises:
        InputError: they do not; says the largest size that does.
    """
    if budget is None or budget.course is None:
        return
    limit, method, count = COURSE[budget.course], settings.title(), settings.count(config)
    if count + projector < limit:
        return
    smallest, largest = size_range(type(settings))
    fits = bisect_left(
        range(smallest, largest + 1), limit - projector, key=lambda size: settings.resized(size).count(config)
    ) + smallest - 1
    change = f"{method}.{settings.SIZE} to {fits} or less" if fits >= smallest else "the projector"
    raise InputError(
        f"params.yaml: {method} trains {count:,} parameters and the projector {projector:,}; budget.course "
        f"{budget.course} allows fewer than {limit:,} together: change {change}"
    )
