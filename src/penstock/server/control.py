"""What can be asked of a server from outside: how it stands, and the signals it takes.

How it stands its admin endpoint tells; without one the system still knows the processes. Signals go to the
process of the pid file, and only where it has an answer to them: one it does not expect would end it.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any, Final

from penstock.errors import ServerUnreachable
from penstock.observe.memory import measure_rss
from penstock.server.address import Unix, parse_address
from penstock.server.pid_file import find_start, read_pid

SIGNALS: Final = {
    "reload": signal.SIGHUP,
    "stop": signal.SIGTERM,
    "scale +1": signal.SIGTTIN,
    "scale -1": signal.SIGTTOU,
    "reopen-logs": signal.SIGUSR1,
}
_TIMEOUT_S: Final = 5.0
_LIMIT_BYTES: Final = 2**24
_PROC: Final = Path("/proc")


def fetch_status(address: str) -> dict[str, Any]:
    """Return what the admin endpoint at `address` tells. ServerUnreachable: nothing there that does."""
    return fetch(address, "/status", {"status", "workers", "requests"})


def fetch(address: str, path: str, expected: set[str]) -> dict[str, Any]:
    """Return the JSON at a path of the admin endpoint, which has the members expected. ServerUnreachable."""
    try:
        connection = _Connection(address)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            reply = connection.getresponse()
            content = reply.read(_LIMIT_BYTES)
        finally:
            connection.close()
        told = json.loads(content)
        if reply.status != 200 or not expected <= set(told):
            raise ValueError
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ServerUnreachable(f"no admin endpoint answers at {address}: {reason}") from None
    except (ValueError, TypeError):
        raise ServerUnreachable(f"what answers at {address} is no admin endpoint (--admin)") from None
    found: dict[str, Any] = told
    return found


class _Connection(http.client.HTTPConnection):
    """Over TCP, or to a unix socket."""

    def __init__(self, address: str) -> None:
        self._target = target = parse_address(address)
        is_tcp = not isinstance(target, Unix)
        host, port = (target[0], target[1]) if is_tcp and len(target) > 1 else ("localhost", 80)
        super().__init__(str(host), int(port), timeout=_TIMEOUT_S)

    def connect(self) -> None:
        if isinstance(self._target, Unix):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(_TIMEOUT_S)
            self.sock.connect(self._target.path)
        else:
            super().connect()


def list_processes(pid_file: str) -> list[dict[str, Any]]:
    """Return the process of the pid file and its children, as the system knows them."""
    pid = _find(pid_file)
    try:
        children = [int(word) for word in (_PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        children = []
    return [_describe(each, "child" if each != pid else "server") for each in [pid, *children]]


def _describe(pid: int, role: str) -> dict[str, Any]:
    started = find_start(pid)
    age_s = None if started is None else round(max(0.0, time.time() - started), 1)
    return {"pid": pid, "role": role, "uptime_seconds": age_s, "rss_bytes": measure_rss(pid)}


def send_signal(action: str, pid_file: str) -> int:
    """Send the signal for `action`, a key of SIGNALS; return to which process. ServerUnreachable: there is
    none, or it has no answer to that.
    """
    pid, number = _find(pid_file), SIGNALS[action]
    if not _is_caught(pid, number):
        raise ServerUnreachable(
            f"process {pid} takes no {number.name}: {action} is for a server with workers (--workers 2)"
        )
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise ServerUnreachable(f"process {pid} has just ended") from None
    except PermissionError:
        raise ServerUnreachable(
            f"process {pid} is another user's; only that user or root can do it"
        ) from None
    return pid


def _find(pid_file: str) -> int:
    pid = read_pid(pid_file)
    if pid is None:
        raise ServerUnreachable(f"no server runs: the process of {pid_file} has ended")
    return pid


def _is_caught(pid: int, number: signal.Signals) -> bool:
    """Whether that process has its own answer to the signal; yes where the system does not say so."""
    try:
        text = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return True
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "SigCgt":
            return bool(int(value, 16) >> (number - 1) & 1)
    return True
