"""vltune demo: load the runs, serve the page on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser
from importlib.util import find_spec
from pathlib import Path

from vltune.pipeline.errors import InputError

HOST = "127.0.0.1"
PACKAGES = ("starlette", "uvicorn")
SECONDS_TO_END = 1  # that Ctrl-C waits for a request that is being answered


def main(methods: list[str], seed: int, port: int, browser: bool, root: Path) -> None:
    """Serve the page with the runs of `methods`; all that are trained if there are none.

    Raises:
        InputError: a package is not installed, the port is taken, or a run is missing or does not fit.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(f"vltune demo needs {' and '.join(missing)}: run `make demo`, or "
                         "`pip install -r requirements-demo.txt`")
    with bound(port) as listener:
        from vltune.commands import demo_app, demo_runs
        sys.stderr.write("loading the models ...\n")
        runs = demo_runs.Runs(root, methods, seed)
        listener.listen()  # from here on a browser may connect; the server answers as soon as it runs
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        sys.stdout.write(f"{address} shows {', '.join(runs.names())}; Ctrl-C ends it\n")
        sys.stdout.flush()
        if browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(address)  # never one that would take the terminal
        serve(demo_app.build(runs, demo_app.samples(root)), listener)


def bound(port: int) -> socket.socket:
    """Take a port on 127.0.0.1, before the models are loaded for nothing.

    Raises:
        InputError: it is taken, or not allowed.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise InputError(f"port {port} on {HOST}: {error.strerror}; give another --port, or 0 for any that "
                         "is free") from None
    return listener


def serve(app: object, listener: socket.socket) -> None:
    """Answer requests until Ctrl-C, which raises KeyboardInterrupt."""
    import uvicorn

    settings = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", ws="none", http="h11", loop="asyncio",
        timeout_graceful_shutdown=SECONDS_TO_END)
    uvicorn.Server(settings).run(sockets=[listener])
    raise KeyboardInterrupt  # uvicorn does, unless this process began with SIGINT ignored
