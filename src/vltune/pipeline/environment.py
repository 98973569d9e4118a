"""Where a training ran: what may change the last digits of its numbers. Kept beside the timings, so that no hash depends on it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vltune.pipeline.files import read_json, write_json

PACKAGES = ("numpy", "safetensors", "timm", "tokenizers", "torch")
GATHERED = Path("metrics/environment.json")  # in git, for the comparison with another machine
EACH = Path("data/resources")  # a file of every training


def describe(threads: int, device: str) -> dict[str, Any]:
    """Describe this process: type of the CPU, the number of threads, the device's name, versions of Python and packages."""
    return {"cpu": _cpu(), "threads": threads, "device": device, "system": platform.system(), "machine": platform.machine(),
            "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def gather() -> None:
    """Write the environments of all trainings to metrics/environment.json, each once, with the runs that it is of."""
    found: list[dict[str, Any]] = []
    for file in sorted(EACH.glob("*/*.json")):
        environment = read_json(file).get("environment")
        run = f"{file.parent.name}/{file.stem}"
        same = [one for one in found if {**one, "runs": None} == {**(environment or {}), "runs": None}]
        if same:
            same[0]["runs"].append(run)
        elif environment:
            found.append(environment | {"runs": [run]})
    write_json(GATHERED, found)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
