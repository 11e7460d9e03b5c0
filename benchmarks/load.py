"""Load on a server over kept connections: wrk where it is installed, else a generator of our own.

Our own takes several times the CPU of wrk, so that it, not the server, may be what is measured: good for
comparing CPU per request, not for rates. It runs in a process of its own, pinned like wrk.
"""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import sys
import time
from typing import NamedTuple

from benchmarks.processors import LOAD_CPU, pin


class Load(NamedTuple):
    """What a load did."""

    requests: int
    seconds: float
    errors: int
    """Replies that were not 2xx, and requests without one."""


def has_wrk() -> bool:
    """Tell which generator is used."""
    return shutil.which("wrk") is not None


def load(port: int, path: str, *, connections: int, seconds: int, scheme: str = "http") -> Load:
    """Request `path` on all connections, each again as soon as it is answered, for so long; "https" by wrk
    only.
    """
    target = f"{scheme}://127.0.0.1:{port}{path}"
    if has_wrk():
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", target]
        return _read_wrk(_run(command))
    out = _run([sys.executable, "-m", "benchmarks.load", str(port), path, str(connections), str(seconds)])
    requests, took_s, errors = out.split()
    return Load(int(requests), float(took_s), int(errors))


def _run(command: list[str]) -> str:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        pin(process.pid, LOAD_CPU)
        out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{command[0]} failed: {out[-400:]}")
    return out


def _read_wrk(out: str) -> Load:
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if found is None or rate is None:
        raise SystemExit(f"wrk said {out[-400:]}")
    errors = sum(
        int(number)
        for number in re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", out)
    )
    requests = int(found[1])
    return Load(requests, requests / float(rate[1]) if float(rate[1]) else 0.0, errors)


def generate(port: int, path: str, connections: int, seconds: float) -> Load:
    """Our own generator. Every reply must be as long as the first one."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode("ascii")
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    expected = len(exchange(socks[0], request))
    poll = select.poll()
    received = {sock.fileno(): 0 for sock in socks}
    by_number = {sock.fileno(): sock for sock in socks}
    for sock in socks:
        poll.register(sock, select.POLLIN)
        sock.sendall(request)
    requests = errors = 0
    started = time.monotonic()
    while (took_s := time.monotonic() - started) < seconds and received:
        for number, _ in poll.poll(100):
            octets = by_number[number].recv(65_536)
            received[number] += len(octets)
            if not octets or received[number] > expected:
                errors += 1
                poll.unregister(number)
                del received[number]
            elif received[number] == expected:
                requests += 1
                received[number] = 0
                by_number[number].sendall(request)
    for sock in socks:
        sock.close()
    return Load(requests, took_s, errors)


def exchange(sock: socket.socket, request: bytes) -> bytes:
    """Send a request and return the whole reply, which says its Content-Length."""
    sock.sendall(request)
    return receive_reply(sock)


def receive_reply(sock: socket.socket) -> bytes:
    """Return the whole reply to a request that was sent."""
    reply = b""
    while b"\r\n\r\n" not in reply:
        reply += _receive(sock)
    head, _, content = reply.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length:\s*([0-9]+)", head)
    if length is None:
        raise SystemExit(f"a reply without Content-Length: {head!r}")
    while len(content) < int(length[1]):
        content += _receive(sock)
    return head + b"\r\n\r\n" + content


def _receive(sock: socket.socket) -> bytes:
    octets = sock.recv(65_536)
    if not octets:
        raise SystemExit("the server closed the connection instead of answering")
    return octets


if __name__ == "__main__":
    _, _port, _path, _connections, _seconds = sys.argv
    print(*generate(int(_port), _path, int(_connections), float(_seconds)))
