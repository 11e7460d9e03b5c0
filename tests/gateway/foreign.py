"""The servers of others in a process of their own, as their users start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.e2e.serving import ROOT
from tests.ports import free_port

COMMANDS = {
    "uvicorn": lambda port: ["--log-level", "warning", "--port", str(port)],
    "granian": lambda port: ["--interface", "asgi", "--log-level", "warning", "--port", str(port)],
    "hypercorn": lambda port: ["--log-level", "warning", "--bind", f"127.0.0.1:{port}"],
}


@contextmanager
def serving(server, application, *words, port=None, **variables):
    """The server, from when it takes connections to the end of the block; its port."""
    port = port or free_port()
    command = [sys.executable, "-m", server, application, *COMMANDS[server](port), *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **variables}
    child = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end and child.poll() is None, f"{server} does not start"
                time.sleep(0.05)
        yield port
    finally:
        child.terminate()
        child.wait(30)
