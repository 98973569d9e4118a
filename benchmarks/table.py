"""One table of speed: for each part vltune, its peer and the limit of the machine, measured in the same run.

Run: make bench, after make repro. Writes results/benchmarks.md, with the machine that it was measured on.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# the code of this revision, not an installed one
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import pandas as pd
import torch

from vltune.pipeline.files import write_text

OUT = Path("results/benchmarks.md")


@dataclass(frozen=True)
class Row:
    """A measurement, all in `unit`, of which more is better; None where there is no peer or no limit."""

    part: str
    unit: str
    ours: float
    peer: tuple[str, float] | None = None
    limit: tuple[str, float] | None = None


def product_speed(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> float:
    """Measure the floating-point operations a second of a product [rows, inputs] x [inputs, outputs]."""
    x, weight = torch.randn(rows, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        seconds.append(time.perf_counter() - start)
    return 2 * rows * inputs * outputs / sorted(seconds)[len(seconds) // 2]


def alternate(parts: dict[str, Callable[[], object]], repeats: int, warm: int) -> dict[str, float]:
    """Time functions in turn, so that what else the machine does hits all; gives their median seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(warm + repeats):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(pd.Series(values[warm:]).median()) for name, values in seconds.items()}


def render(rows: list[Row]) -> str:
    """Write the rows as a Markdown table."""
    def cells(row: Row) -> dict[str, str]:
        peer, limit = row.peer or ("", None), row.limit or ("", None)
        return {
            "part": row.part, "unit": row.unit, "vltune": f"{row.ours:.2f}",
            "peer": f"{peer[1]:.2f} ({peer[0]})" if row.peer else "",
            "times the peer": f"{row.ours / peer[1]:.2f}" if row.peer else "",
            "limit": f"{limit[1]:.2f} ({limit[0]})" if row.limit else "",
            "share of the limit": f"{row.ours / limit[1]:.0%}" if row.limit else "",
        }

    return pd.DataFrame([cells(row) for row in rows]).to_markdown(index=False, disable_numparse=True)


def processor() -> str:
    """Name the processor, as the system does."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    fast = [name for name in ("amx_bf16", "avx512_bf16") if any(name in line for line in lines)]
    return " ".join([models[0] if models else platform.machine(), *fast])


def main() -> None:
    """Measure all parts and write the table."""
    import caption
    import features
    import processes
    import step

    start = time.perf_counter()
    rows = []
    for module in (step, features, caption, processes):
        rows += module.measure()
        print(f"{module.__name__}: measured after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    table = render(rows)
    print(table)
    note = (
        f"Written by `make bench` in {time.perf_counter() - start:.0f} s: {processor()}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}."
    )
    write_text(OUT, f"# Speed\n\n{note} More is better.\n\n{table}\n")


if __name__ == "__main__":
    main()
