"""Load on a WebSocket that echoes: one message under way on each connection, the next when it is back.

Frames are masked ahead, and what comes back is looked at by length alone, but for the first on each
connection, so that the client costs little beside the kernel.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time

from benchmarks.load import Load
from benchmarks.processors import LOAD_CPU, pin

_MASK = b"\x37\xfa\x21\x3d"
_HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def load(port: int, *, size: int, connections: int, seconds: float) -> Load:
    """Send text messages of `size` octets, at most 65,535, on all connections, in a process of its own."""
    words = [str(port), str(size), str(connections), str(seconds)]
    command = [sys.executable, "-m", "benchmarks.websocket_load", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        pin(process.pid, LOAD_CPU)
        out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the load failed: {out[-400:]}")
    messages, took_s = out.split()
    return Load(int(messages), float(took_s), 0)


def _head(first: int, size: int, mask: int) -> bytes:
    return bytes([first, mask | size]) if size < 126 else bytes([first, mask | 126, *size.to_bytes(2, "big")])


def _open(port: int, frame: bytes, answer: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(_HANDSHAKE.format(port=port).encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    if b" 101 " not in head:
        raise SystemExit(f"no WebSocket: {head[:200]!r}")
    sock.sendall(frame)
    found = b""
    while len(found) < len(answer):
        found += sock.recv(len(answer) - len(found))
    if found != answer:
        raise SystemExit(f"wrong answer {found[:40]!r}")
    return sock


def make_frame(size: int) -> tuple[bytes, bytes]:
    """Return the frame of a text message as a client sends it, and what is in it."""
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    masked = bytes(octet ^ _MASK[at % 4] for at, octet in enumerate(data))
    return _head(0x81, size, 0x80) + _MASK + masked, data


def generate(port: int, size: int, connections: int, seconds: float) -> Load:
    """Run in this process."""
    frame, data = make_frame(size)
    answer = _head(0x81, size, 0) + data
    socks = [_open(port, frame, answer) for _ in range(connections)]
    poll = select.epoll() if hasattr(select, "epoll") else None
    if poll is None:
        raise SystemExit("this load needs epoll")
    ways = {sock.fileno(): (sock.recv, sock.send) for sock in socks}
    missing = dict.fromkeys(ways, len(answer))
    whole, messages = len(answer), 0
    started = time.monotonic()
    for sock in socks:
        poll.register(sock, select.EPOLLIN)
        sock.sendall(frame)
    while time.monotonic() - started < seconds:
        for number, _ in poll.poll(1):
            recv, send = ways[number]
            left = missing[number] - len(octets := recv(65_536))
            if left == 0:
                messages += 1
                missing[number] = whole
                send(frame)
            elif left < 0 or not octets:
                raise SystemExit("a wrong answer, or the end")
            else:
                missing[number] = left
    took_s = time.monotonic() - started
    for sock in socks:
        sock.close()
    return Load(messages, took_s, 0)


if __name__ == "__main__":
    done = generate(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    print(done.requests, done.seconds)
