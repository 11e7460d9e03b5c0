"""Where files go while they arrive: memory, and beyond a bound for the whole form temporary files.

Such a file has no name (O_TMPFILE, or removed at once), so nothing is left of it whatever happens. Whoever
gives the form up while a thread writes leaves the closing to that thread.
"""

from __future__ import annotations

import errno
import io
import tempfile
from threading import Lock
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, HTTPError

if TYPE_CHECKING:
    from typing import IO

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Spools:
    """The files of one form."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._files: list[Spool] = []
        self._lock = Lock()
        self._is_closed = False
        self.held = 0
        """Octets in memory."""
        self.has_disk = False

    def new(self) -> Spool:
        """Return the place of another file."""
        spool = Spool(self)
        self._files.append(spool)
        return spool

    @property
    def is_heavy(self) -> bool:
        """True when `write_out` is due."""
        return self.held > self._memory_bytes

    def write_out(self) -> None:
        """Bring what is held to the disk. Blocks; ClientDisconnected when the form was given up meanwhile."""
        try:
            with self._lock:
                if self._is_closed:
                    raise ClientDisconnected("the form was given up")
                self.has_disk = True
                for spool in self._files:
                    spool.write_out()
                self.held = 0
        except OSError as error:
            if error.errno in _FULL:
                raise HTTPError(507, "there is no room for these files") from None
            raise
        finally:
            # Whoever comes second, this thread behind the lock or `close` before it, closes.
            if self._is_closed:
                self.close()

    def close(self) -> None:
        """Let go of everything; when a thread is at it, that will. Never blocks."""
        self._is_closed = True
        if self._lock.acquire(blocking=False):
            try:
                for spool in self._files:
                    spool.close()
            finally:
                self._lock.release()


class Spool:
    """One file."""

    __slots__ = ("_disk", "_memory", "_spools")

    def __init__(self, spools: Spools) -> None:
        self._spools = spools
        self._memory: io.BytesIO | None = io.BytesIO()
        self._disk: IO[bytes] | None = None

    def write(self, piece: bytes) -> None:
        if self._memory is None:
            self._memory = io.BytesIO()
        self._memory.write(piece)
        self._spools.held += len(piece)

    def write_out(self) -> None:
        """Bring what is held to the disk. Blocks."""
        memory = self._memory
        if memory is None or (self._disk is None and not memory.tell()):
            return
        if self._disk is None:
            self._disk = tempfile.TemporaryFile(prefix="penstock-")  # noqa: SIM115 - open until the reply is sent
        self._disk.write(memory.getbuffer())
        self._memory = None

    def opened(self) -> Any:
        """Return it for reading. Blocks when a part of it is on the disk."""
        if self._disk is None:
            assert self._memory is not None  # noqa: S101 - it is in one of the two
            self._memory.seek(0)
            return self._memory
        self.write_out()
        self._disk.seek(0)
        return self._disk

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()
        if self._memory is not None:
            self._memory.close()
