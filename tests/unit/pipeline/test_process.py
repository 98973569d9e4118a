"""How a stage or a command runs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.graph import ROOT

FAULTS = """
import ctypes, resource
from vltune.pipeline.process import keep_freed_memory
if {kept}:
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def use():
    block = libc.malloc(ctypes.c_size_t(2**27))
    ctypes.memset(block, 1, 2**27)
    libc.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc of another C library is left as it is")
def test_freed_memory_is_used_again_without_a_page_fault() -> None:
    def faults(kept: bool) -> int:
        code = FAULTS.format(kept=kept)
        return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)

    assert faults(kept=True) < faults(kept=False) / 10


STAGES = sorted(path.name for path in (ROOT / "stages").glob("*.py"))
BLOCKED = "import os, pathlib, time\npathlib.Path({file!r}).write_text(str(os.getpid()))\ntime.sleep(120)\n"
LIMIT_S = 60.0  # of a wait, a fraction of a second on an idle machine


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"waited {LIMIT_S} s for {what}"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not end a process with its parent")
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_whose_parent_is_killed_during_its_imports_ends(stage: str, tmp_path: Path) -> None:
    """A package that every stage imports waits, as the import of torch does for seconds."""
    file = tmp_path / "pid"
    (tmp_path / "pydantic.py").write_text(BLOCKED.format(file=str(file)))
    command = [sys.executable, str(ROOT / "stages" / stage)]
    start = f"import subprocess; subprocess.run({command})"
    with subprocess.Popen([sys.executable, "-c", start],
                          env=os.environ | {"PYTHONPATH": str(tmp_path)}) as parent:
        try:
            until(lambda: file.is_file() and file.read_text(), f"{stage} to import pydantic")
        finally:
            parent.kill()
    until(lambda: not runs(int(file.read_text())), f"{stage} to end")
