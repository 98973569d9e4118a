"""The command `vltune`, called in this process."""

from __future__ import annotations

from vltune.cli import app


def vltune(*words: object) -> tuple[int, str]:
    """Call the command; give its exit code and the message that it ends with."""
    try:
        app([str(word) for word in words], prog_name="vltune")
    except SystemExit as ended:
        return (1, ended.code) if isinstance(ended.code, str) else (ended.code or 0, "")
    return 0, ""
