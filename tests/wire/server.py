"""A penstock server in a process of its own, and a plain socket to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.wire.replies import Reply, take_reply

ROOT = Path(__file__).parents[2]
START_S = 30
REPLY_S = 10
STOP_S = 30


class Server:
    """A running server: `port`, and `log`, the lines it wrote so far."""

    def __init__(self, application: str, *flags: str) -> None:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, "-bb", "-m", "penstock", "run", application, "--port", "0", *flags],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "PYTHONUNBUFFERED": "1",
                "NO_COLOR": "1",
                "PENSTOCK_LOG_FORMAT": "text",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.port = 0
        self.log: list[str] = []
        self.refusals = 0
        """For the test to count what it saw refused."""
        self._is_said = threading.Event()
        self._collector = threading.Thread(target=self._collect, daemon=True)
        self._collector.start()
        if not self._is_said.wait(START_S) or not self.port:
            self.stop()
            raise RuntimeError("the server did not start:\n" + "".join(self.log))

    def _collect(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line)
                if not self.port and (match := re.search(r"http://127\.0\.0\.1:(\d+)", line)):
                    self.port = int(match[1])
                    self._is_said.set()
        self._is_said.set()

    def stop(self) -> int:
        """Stop it in order; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self._collector.join(STOP_S)


@contextmanager
def run_server(application: str, *flags: str) -> Iterator[Server]:
    """A server that runs inside the block."""
    server = Server(application, *flags)
    try:
        yield server
    finally:
        server.stop()


class Client:
    """One connection: `send` pieces, `take` replies one by one, `ends` when the server has ended it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), REPLY_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._octets = b""
        self.interim: list[int] = []
        """Statuses of the interim replies before the last final one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, pieces: list[bytes]) -> None:
        """Send the pieces, as far as the server takes them."""
        try:
            for piece in pieces:
                self._socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused half-way; what the server had to say is still there to be read

    def end(self) -> None:
        """End our side of the connection."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def take(self, method: str = "GET") -> Reply | None:
        """The next final reply, to a request of this method; None when the connection ended in its place."""
        ended = False
        self.interim = []
        while True:
            found = take_reply(self._octets, method, ended=ended)
            if found is not None:
                reply, self._octets = found
                if reply.status >= 200:
                    return reply
                self.interim.append(reply.status)
            elif ended:
                assert self._octets == b"", "the reply is cut short"
                return None
            else:
                data = self._socket.recv(65_536)
                ended = not data
                self._octets += data

    def ends(self) -> bool:
        """Wait for the end of the connection; False when more octets came instead."""
        return self._octets == b"" and self._socket.recv(65_536) == b""
