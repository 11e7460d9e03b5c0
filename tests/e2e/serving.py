"""`penstock run` in a process of its own, as a user starts it: the URL comes from the banner, SIGTERM ends it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60  # a machine that does ten other things starts a server in half of it


def environment():
    """The variables of this process without settings of Penstock, and the source tree on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return kept | {"PYTHONPATH": path, "NO_COLOR": "1", "PENSTOCK_LOG_FORMAT": "text"}


def receive(client):
    """Everything up to the end of a connection."""
    client.settimeout(WAIT_S)
    with client:
        received = b""
        while piece := client.recv(65_536):
            received += piece
    return received


class Serving:
    """A running server: `url`, `port`, and `log`, what it wrote to stderr so far."""

    def __init__(self, application, *flags, cwd=ROOT, command="run", **variables):
        self.process = subprocess.Popen(
            [sys.executable, "-bb", "-m", "penstock", command, application, "--port", "0", *flags],
            cwd=cwd,
            env=environment() | {"PYTHONWARNINGS": "error"} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.url = ""
        self._lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for_log(r'  bounds |"message":"Penstock ')  # the banner, as text or as JSON
        self.url = re.search(r'(?:address\s+|"urls":\[")(https?://[^\s"]+)', self.log)[1].rstrip("/")
        self.port = urlsplit(self.url).port

    @property
    def log(self):
        return "".join(self._lines)

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    def wait_for_log(self, pattern):
        """Wait until something of this pattern was written to stderr."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: re.search(pattern, self.log) or self.process.poll() is not None, WAIT_S
            )
        if not found or not re.search(pattern, self.log):
            self.kill()
            raise AssertionError(f"{pattern!r} was never written to stderr:\n{self.log}")

    def connect(self):
        """A plain connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), WAIT_S)

    def ask(self, path, *fields):
        """A connection on which a request has been sent."""
        client = self.connect()
        head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *fields])
        client.sendall(f"{head}\r\n\r\n".encode())
        return client

    def terminate(self):
        """Stop it in order; its exit code. What it wrote is in `log`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        """Wait for its end; the exit code."""
        try:
            return self.process.wait(WAIT_S)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(WAIT_S)
        self.process.stdout.close()
        self.process.stderr.close()


@contextmanager
def serving(application, *flags, may_fail=False, **options):
    """A server that runs inside the block, stops in order and, unless handlers `may_fail`, has logged no traceback."""
    server = Serving(application, *flags, **options)
    try:
        yield server
    except BaseException:
        server.kill()
        sys.stderr.write(server.log)
        raise
    assert server.terminate() == 0, server.log
    if not may_fail:
        assert "Traceback" not in server.log, server.log
