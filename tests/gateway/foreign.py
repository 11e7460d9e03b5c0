"""The servers of others in a process of their own, as their users start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.e2e.serving import ROOT

COMMANDS = {
    "uvicorn": lambda port: ["--log-level", "warning", "--port", str(port)],
    "granian": lambda port: ["--interface", "asgi", "--log-level", "warning", "--port", str(port)],
    "hypercorn": lambda port: ["--log-level", "warning", "--bind", f"127.0.0.1:{port}"],
}


def find_port():
    """A port that nobody listens on, for TCP and for UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port = stream.getsockname()[1]
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def serving(server, application, *words, port=None, **variables):
    """The server, from when it takes connections to the end of the block; its port."""
    port = port or find_port()
    command = [sys.executable, "-m", server, application, *COMMANDS[server](port), *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **variables}
    child = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        end = time.monotonic() + 20
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
        child.wait(20)
