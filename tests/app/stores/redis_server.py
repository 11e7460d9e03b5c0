"""A real `redis-server` for a test: on a socket in a folder of its own, bounded, ended by its process id."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.conftest import find_tool

WAIT_S = 30

_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def _end_with_parent():
    """Have the kernel kill it when this process is gone, however that came to be."""
    if _prctl is not None:
        _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class RedisServer:
    """`url` names it; it can be stopped, killed and started again under the same URL."""

    def __init__(self, folder, *options):
        self.socket = Path(folder) / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._options = options
        self.process = None
        self.start()

    def start(self):
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            [
                *(find_tool("redis-server"), "--port", "0", "--unixsocket", str(self.socket)),
                *("--save", "", "--appendonly", "no", "--databases", "2", "--maxmemory", "64mb"),
                *("--daemonize", "no", "--loglevel", "warning", "--dir", str(self.socket.parent)),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - one call into the kernel, and nothing of Python
        )
        end = time.monotonic() + WAIT_S
        while True:
            assert self.process.poll() is None, "redis-server ended at once"
            try:
                return self.command("PING")
            except redis.ConnectionError:
                assert time.monotonic() < end, f"redis-server does not answer within {WAIT_S} s"
                time.sleep(0.005)

    def command(self, *parts):
        """What it answers to a command of ours."""
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=WAIT_S, protocol=2) as client:
            return client.execute_command(*parts)

    def hold(self):
        """It is there and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # it has stopped, not only been told to

    def release(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait(WAIT_S)
        self.socket.unlink(missing_ok=True)


@contextmanager
def redis_server(*options):
    """A RedisServer until the block ends."""
    folder = tempfile.mkdtemp(prefix="redis-")  # short: a path of a socket has at most 107 octets
    server = None
    try:
        server = RedisServer(folder, *options)
        yield server
    finally:
        if server is not None and server.process.poll() is None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
