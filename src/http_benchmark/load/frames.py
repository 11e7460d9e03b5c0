"""Messages between a process and those it started: pickled values, each after its length, over pipes.

Only ever between processes of one program that one user started: what comes out of a pickle is trusted.
"""

from __future__ import annotations

import os
import pickle
import struct
import threading
from typing import Any, Final

_LENGTH: Final = struct.Struct("!Q")
_PIECE: Final = 1 << 16


class Outbox:
    """Puts messages into a descriptor, each whole, whatever thread it comes from."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Write all of a message; OSError when nobody reads any more."""
        octets = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        view = memoryview(_LENGTH.pack(len(octets)) + octets)
        with self._lock:
            while view:
                view = view[os.write(self._fd, view) :]


class Inbox:
    """Takes messages out of a descriptor, in whatever pieces they come."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._held = bytearray()
        self.is_closed = False
        """Whether the other side has gone."""

    def read(self) -> None:
        """Read once: as much as is there, or wait for it."""
        octets = os.read(self.fd, _PIECE)
        self._held += octets
        self.is_closed = not octets

    def take(self) -> list[Any]:
        """Return the messages that are whole."""
        found = []
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            end = _LENGTH.size + length
            if len(self._held) < end:
                break
            found.append(pickle.loads(self._held[_LENGTH.size : end]))  # noqa: S301  # our own, see above
            del self._held[:end]
        return found

    def wait(self) -> Any:
        """Return the next message; EOFError when the other side has gone. For one at a time."""
        while True:
            if messages := self.take():
                return messages[0]
            if self.is_closed:
                raise EOFError("the other side has gone")
            self.read()
