"""Uploads of 10 MB as multipart/form-data: MB/s over one kept connection, CPU time, and memory over many.

The content is made once and sent by a plain socket; a handler gets a field and the file, whole, and answers
with its size. Starlette has it on the disk by then; Penstock, with nothing else to hold, in memory (`disk`
has the bound that sends it there). `stream` reads the parts as they come instead. Memory is the highest
resident size during the uploads, less that during as many before them: flat when nothing of them stays.
Interleaved rounds, a server alone on one processor.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.load import receive_reply
from benchmarks.peers import find_python, how_to_get, importable
from benchmarks.processors import LOAD_CPU, pin
from benchmarks.report import Options, Report
from benchmarks.subject import free_port, serving
from benchmarks.subjects import make_environment
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from benchmarks.subject import Subject

SIZE = 10_000_000
_UPLOADS = 30
_ROUNDS = 5
_NEEDS = ("fastapi", "python_multipart", "uvicorn", "uvloop", "httptools")
_BOUNDARY = "d74496d66958873e"
NAMES = {
    "penstock task": ("penstock_uploads:app", "/task"),
    "penstock thread": ("penstock_uploads:app", "/thread"),
    "penstock disk": ("penstock_uploads:app", "/disk"),
    "penstock stream": ("penstock_uploads:app", "/stream"),
    "fastapi task": ("fastapi_uploads:app", "/task"),
    "fastapi thread": ("fastapi_uploads:app", "/thread"),
}
"""Subject -> application and path."""


class Round(NamedTuple):
    """One server, once."""

    mb_per_s: float
    cpu_ms: float
    growth_mb: float


def make_request(path: str, size: int = SIZE) -> bytes:
    """Return a whole request."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\na title\r\n'.encode(),
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode(),
        os.urandom(size),
        f"\r\n--{_BOUNDARY}--\r\n".encode(),
    ]
    content = b"".join(parts)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    )
    return head.encode() + content


class _Watch(threading.Thread):
    """Notes the highest resident size while it runs."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(daemon=True)
        self._subject = subject
        self._ended = threading.Event()
        self.highest = 0

    def run(self) -> None:
        while not self._ended.wait(0.02):
            self.highest = max(self.highest, self._subject.usage().resident_bytes)

    def end(self) -> int:
        self._ended.set()
        self.join()
        return max(self.highest, self._subject.usage().resident_bytes)


def upload(port: int, octets: bytes, count: int) -> float:
    """Send so many uploads one after the other; return how long they took. SystemExit for a wrong reply."""
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        started = time.perf_counter()
        for _ in range(count):
            sock.sendall(octets)
            content = receive_reply(sock).partition(b"\r\n\r\n")[2]
            if json.loads(content) != {"title": "a title", "name": "a.bin", "size": SIZE}:
                raise SystemExit(f"the reply is wrong: {content[:200]!r}")
        return time.perf_counter() - started


def measure(options: Options) -> Report:
    """Run every server that is present."""
    rounds: dict[str, list[Round]] = {name: [] for name in NAMES}
    left_out: list[str] = []
    python = find_python(options.peers)
    names = dict(NAMES)
    missing = sorted(set(_NEEDS) - importable(options.peers, _NEEDS))
    if missing:
        left_out += [how_to_get(need) for need in missing]
        names = {name: place for name, place in NAMES.items() if not name.startswith("fastapi")}
    for _ in range(1 if options.is_quick else _ROUNDS):
        for name in names:
            rounds[name].append(_run(name, python, 2 if options.is_quick else _UPLOADS))
    figures: list[Figure] = []
    for name in names:
        done = rounds[name]
        figures.append(summarise("10 MB", name, [one.mb_per_s for one in done], "MB/s"))
        figures.append(summarise("10 MB", name, [one.cpu_ms for one in done], "ms CPU/upload"))
        figures.append(summarise("10 MB", name, [one.growth_mb for one in done], "MB more"))
    return Report(sorted(figures, key=lambda figure: figure.unit), left_out)


def _run(name: str, python: str, uploads: int) -> Round:
    application, path = NAMES[name]
    port = free_port()
    if name.startswith("penstock"):
        command = [sys.executable, "-m", "penstock", "run", application, "--port", str(port)]
        command += ["--no-access-log", "--log-level", "error"]
    else:
        command = [python, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
        command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "error"]
    octets = make_request(path)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(command, port, make_environment(), Path(folder)) as subject,
    ):
        pin(os.getpid(), LOAD_CPU)
        watch = _Watch(subject)
        watch.start()
        upload(port, octets, uploads)
        first = watch.end()
        before, watch = subject.usage(), _Watch(subject)
        watch.start()
        took_s = upload(port, octets, uploads)
        highest, after = watch.end(), subject.usage()
    used_s = after.user_s + after.system_s - before.user_s - before.system_s
    return Round(
        uploads * SIZE / 1e6 / took_s,
        used_s * 1e3 / uploads,
        (highest - first) / 1e6,
    )


if __name__ == "__main__":
    sys.exit(main(["multipart"]))
