"""The environment of a training: what may change the last digits of its numbers.

It is kept beside the timings, so that no hash depends on it.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vltune.pipeline.files import read_json, write_json

PACKAGES = ("numpy", "safetensors", "timm", "tokenizers", "torch")
GATHERED = Path("metrics/environment.json")  # in git, for the comparison with another machine
RESOURCES = Path("data/resources")  # one file for each training


def describe(threads: int, device: str, processes: int) -> dict[str, Any]:
    """Describe the processes of a training: their number, and of one CPU type, threads, device, versions."""
    return {
        "cpu": _cpu(), "threads": threads, "processes": processes, "device": device,
        "system": platform.system(), "machine": platform.machine(), "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def gather() -> None:
    """Write the environments of all trainings to metrics/environment.json, each once with its runs."""
    gathered: list[dict[str, Any]] = []
    for file in sorted(RESOURCES.glob("*/*.json")):
        environment = read_json(file).get("environment") or {}
        run = f"{file.parent.name}/{file.stem}"
        equal = [known for known in gathered if {**known, "runs": None} == {**environment, "runs": None}]
        if equal:
            equal[0]["runs"].append(run)
        elif environment:
            gathered.append(environment | {"runs": [run]})
    write_json(GATHERED, gathered)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
