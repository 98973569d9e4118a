"""The processes that compute a stage together: which of them this is, and what they exchange.

Outside a group, as with `launch.processes: 1`, there is one process of rank 0, and nothing is exchanged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

from vltune.pipeline.errors import InputError

PATIENCE = timedelta(hours=2)  # how long a process waits for the others, which may read slower disks
T = TypeVar("T")


@contextmanager
def joined() -> Iterator[None]:
    """Join the group that torchrun has described in the environment: NCCL between GPUs, gloo between CPUs.

    Raises:
        InputError: there are more processes than GPUs.
    """
    if torch.cuda.is_available():
        local, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
        if local > gpus:
            raise InputError(
                f"params.yaml: launch.processes = {local}, but there are {gpus} GPUs; each process needs one"
            )
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("cpu:gloo,cuda:nccl", timeout=PATIENCE)
    else:
        distributed.init_process_group("gloo", timeout=PATIENCE)
    yield
    distributed.destroy_process_group()


def _grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Number of this process, from 0; the first is the one that writes."""
    return distributed.get_rank() if _grouped() else 0


def count() -> int:
    """Number of processes."""
    return distributed.get_world_size() if _grouped() else 1


def cores() -> int:
    """Number of CPU cores that this process may use, if those of its machine are divided equally."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def share(items: Sequence[T], size: int = 1) -> Sequence[T]:
    """Take this process's part of a sequence: neighbours, so that the parts in order are the whole.

    Args: size, of the batches that a part consists of; only the last batch of the whole may be smaller.
    """
    batches = -(-len(items) // size)
    begin, end = (size * (batches * i // count()) for i in (rank(), rank() + 1))
    return items[begin:end]


def merged(items: list[T]) -> list[T]:
    """Give the first process the items of all processes in their order; the others get their own."""
    if count() == 1:
        return items
    parts: list[list[T]] = [[] for _ in range(count())]
    distributed.gather_object(items, parts if rank() == 0 else None)
    return [item for part in parts for item in part] if rank() == 0 else items


def total(values: Sequence[float]) -> list[float]:
    """Add up numbers over all processes, in float64."""
    if count() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(sums)
    return sums.tolist()


def wait() -> None:
    """Wait until all processes have come this far."""
    if count() > 1:
        distributed.monitored_barrier(timeout=PATIENCE)
