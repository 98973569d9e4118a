"""What is printed when a process of several fails, and how work is shared among them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vltune.pipeline import launch, workers
from vltune.pipeline.errors import InputError
from vltune.pipeline.params import check


def failure(exitcode: int, message: str = "", trace: str = "Trace", signal: str = "") -> SimpleNamespace:
    """What torchrun knows of a process that failed; `message` is that of its error file."""
    content = {"message": message, "extraInfo": {"py_callstack": trace}} if message else "no error file"
    return SimpleNamespace(exitcode=exitcode, message=content, signal_name=lambda: signal)


WRONG = failure(1, "SystemExit: error: data/raw: no such file")
LOST = failure(1, "RuntimeError: Connection closed by peer", "Traceback of the lost connection")
KILLED, STOPPED = failure(-9, signal="SIGKILL"), failure(-15, signal="SIGTERM")


def test_a_killed_process_is_the_cause_of_the_others_failures() -> None:
    line = launch.explain({0: LOST, 1: KILLED, 2: WRONG, 3: STOPPED})
    assert line.startswith("error: process 1 was ended by SIGKILL, as by a system that is out of memory")
    assert "a training resumes from its last saved state" in line
    assert "\n" not in line


def test_wrong_input_is_printed_once_without_a_traceback() -> None:
    assert launch.explain({0: STOPPED, 1: LOST, 2: WRONG, 3: WRONG}) == "error: data/raw: no such file"


def test_an_unexpected_exception_keeps_its_traceback() -> None:
    text = launch.explain({1: LOST})
    assert text == "Traceback of the lost connection\nerror: process 1 has failed; see above"
    assert launch.explain({0: failure(3)}).startswith("exit code 3\n")


@pytest.mark.parametrize("value", [0, -1, "2", 1.5, None])
def test_a_wrong_number_of_processes_is_named(value: object) -> None:
    with pytest.raises(InputError, match=r"launch\.processes"):
        check(launch.Launch, "launch", {"processes": value})


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [1, 4])
def test_the_shares_in_order_are_the_whole_and_keep_its_batches(
    monkeypatch: pytest.MonkeyPatch, count: int, size: int
) -> None:
    items = list(range(18))
    monkeypatch.setattr(workers, "count", lambda: count)
    shares = []
    for rank in range(count):
        monkeypatch.setattr(workers, "rank", lambda rank=rank: rank)
        shares.append(list(workers.share(items, size)))
    assert [item for share in shares for item in share] == items
    batches = [share[i:i + size] for share in shares for i in range(0, len(share), size)]
    assert batches == [items[i:i + size] for i in range(0, len(items), size)]
    sizes = [-(-len(share) // size) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_process_alone_exchanges_nothing() -> None:
    assert (workers.rank(), workers.count()) == (0, 1)
    assert workers.merged(["a"]) == ["a"]
    assert workers.total([0.1, 3]) == [0.1, 3]
    workers.wait()
