"""What systemd passes and wants to hear: listening sockets, and datagrams about the state of the service.

Both protocols are a few environment variables (sd_listen_fds(3), sd_notify(3)); without them nothing here
does anything, so a server under another supervisor, or under none, is not touched.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_FIRST_FD = 3  # SD_LISTEN_FDS_START


def take_sockets() -> dict[str, int]:
    """Return the descriptors passed to this process, by name; one without a name goes by its number. A child
    is not to take them for its own, so the variables are removed.
    """
    count = os.environ.pop("LISTEN_FDS", "")
    pid = os.environ.pop("LISTEN_PID", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, int] = {}
    for at, number in enumerate(range(_FIRST_FD, _FIRST_FD + int(count))):
        name = names[at] if at < len(names) else ""
        # systemd calls a socket without a name "unknown", and every socket of one unit the same
        found[str(number) if not name or name == "unknown" or name in found else name] = number
    return found


class Notifier:
    """Tells systemd what becomes of this process; says nothing where nobody asked (no NOTIFY_SOCKET)."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._beat_s = self._read_interval() / 2  # sd_watchdog_enabled(3) advises half
        self._beat_at = 0.0

    @property
    def is_heard(self) -> bool:
        """Somebody asked."""
        return bool(self._address)

    def _read_interval(self) -> float:
        """How often a sign of life is wanted, in seconds; 0.0 for never."""
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        is_meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return int(microseconds) / 1e6 if is_meant and microseconds.isdecimal() else 0.0

    def ready(self, urls: list[str]) -> None:
        """It serves; also the end of a reload."""
        self._send(f"READY=1\nSTATUS=serving {', '.join(urls)}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It drains."""
        self._send("STOPPING=1\nSTATUS=finishing what is in flight")

    def beat(self) -> None:
        """Give a sign of life if it is time; to be called at least every half a second."""
        if self._beat_s and time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + self._beat_s - 0.5
            self._send("WATCHDOG=1")

    def beat_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give signs of life for as long as the loop turns: one that is stuck is killed by systemd."""
        if self._beat_s and self._address:
            self._send("WATCHDOG=1")
            loop.call_later(self._beat_s, self.beat_in, loop)

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(state.encode(), address)
        except OSError:
            pass  # nobody listens, or not fast enough: no reason not to serve
