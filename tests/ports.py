"""A port for a server that has to be told one.

Not one the kernel picks: that is free only until it gives it to the next who binds port 0 or connects to something, and
tests run side by side. Ports below those it picks from are taken by nobody who was not told them.
"""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

_LEAST = 10_000  # below are those of services a machine may have


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, for TCP and UDP, and that nobody is given by chance."""
    while True:
        port = secrets.randbelow(_end() - _LEAST) + _LEAST  # not `random`: hypothesis seeds that
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            try:
                stream.bind(("127.0.0.1", port))
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _end() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except OSError:
        return 32_768  # of most systems
