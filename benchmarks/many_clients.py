"""A large file for many: 4,000 clients fetch 50 MiB each, 200 at a time, and compare every octet.

`failed` counts those who got anything else than the whole file. The memory is the most that was resident in
the server at any time. nginx gets a tenth of the clients, for rate and CPU time beside ours. The clients
compare in Python, in one process: they, not the server, limit the rate.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.files import names_present, serving_folder
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.subject import Subject

CLIENTS = 4_000
AT_ONCE = 200
SIZE = 50 * 2**20
_QUICK_CLIENTS, _QUICK_AT_ONCE, _QUICK_SIZE = 20, 5, 2**20
_SHARE = 10  # of the clients, for peers
_BLOCK = 2**20  # the file repeats itself after so much
_RECEIVE_BYTES = 512 * 1024
_LOOK_S = 0.2
_FILE = "large.bin"


class Outcome(NamedTuple):
    """What all clients of a server got."""

    failed: int
    megabytes_per_s: float
    cpu_ms_per_gb: float
    most_resident_mb: float


class Clients:
    """Fetch, a given number at a time."""

    def __init__(self, port: int, path: str, block: bytes, size: int) -> None:
        self._address = ("127.0.0.1", port)
        self._request = f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode()
        self._right = block + block  # bytes: a memoryview compares octet by octet
        self._block, self._size = len(block), size
        self._lock = threading.Lock()
        self._left = 0
        self.failed = 0

    def run(self, count: int, at_once: int, look: Callable[[], None]) -> None:
        """Fetch `count` times, and call `look()` now and then meanwhile."""
        self._left = count
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            look()
            time.sleep(_LOOK_S)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._left:
                    return
                self._left -= 1
            try:
                is_right = self._fetch()
            except OSError:
                is_right = False
            if not is_right:
                with self._lock:
                    self.failed += 1

    def _fetch(self) -> bool:
        received = 0
        with socket.create_connection(self._address, 60) as sock:
            sock.sendall(self._request)
            head, _, piece = sock.recv(65_536).partition(b"\r\n\r\n")
            while piece:
                at = received % self._block
                if self._right[at : at + len(piece)] != piece:
                    return False
                received += len(piece)
                piece = sock.recv(_RECEIVE_BYTES)
        return received == self._size and head.startswith(b"HTTP/1.1 200 ")


def measure(options: Options) -> Report:
    """Have the file fetched from every server that is present."""
    names, left_out = names_present()
    names = [name for name in names if name != "penstock-mounted"]
    figures: list[Figure] = []
    for name in names[:1] if options.is_quick else names:
        clients, at_once, size = CLIENTS, AT_ONCE, SIZE
        if options.is_quick:
            clients, at_once, size = _QUICK_CLIENTS, _QUICK_AT_ONCE, _QUICK_SIZE
        elif name != names[0]:
            clients //= _SHARE
        with serving_folder(name, {_FILE: size}) as (subject, prefix):
            found = _run(subject, f"{prefix}/{_FILE}", clients, at_once, size)
        case = f"{clients} clients x {size // 2**20} MiB"
        for value, unit in zip(found, ("failed", "MB/s", "ms CPU/GB", "MB resident, most"), strict=True):
            figures.append(summarise(case, name, [value], unit))
    return Report(figures, left_out)


def _run(subject: Subject, path: str, count: int, at_once: int, size: int) -> Outcome:
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, subject.usage().resident_bytes)

    block = _first(subject.port, path)
    clients = Clients(subject.port, path, block, size)
    before, started = subject.usage(), time.monotonic()
    clients.run(count, at_once, look)
    took_s, after = time.monotonic() - started, subject.usage()
    used_s = after.user_s + after.system_s - before.user_s - before.system_s
    sent = count * size
    return Outcome(clients.failed, sent / took_s / 1e6, used_s * 1e12 / sent, most / 1e6)


def _first(port: int, path: str) -> bytes:
    """The part of the file that it repeats."""
    wanted = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Range": f"bytes=0-{_BLOCK - 1}"}
    )
    with urllib.request.urlopen(wanted, timeout=10) as reply:
        block: bytes = reply.read()
    if reply.status != 206 or len(block) != _BLOCK:
        raise SystemExit(f"{path}: no range")
    return block


if __name__ == "__main__":
    sys.exit(main(["many_clients"]))
