"""Where files go while they arrive: memory, and beyond its bounds temporary files.

There are two bounds: for one form, and for all forms of the process together, so that many uploads at once
hold no more than few. A temporary file has no name (O_TMPFILE, or removed at once), so nothing is left of it
whatever happens. Whoever gives the form up while a thread writes leaves the closing to that thread.
"""

from __future__ import annotations

import errno
import io
import tempfile
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from penstock.errors import ClientDisconnected, HTTPError

if TYPE_CHECKING:
    from typing import IO

SHARED_BYTES: Final = 67_108_864
"""Files of all forms of this process in memory: four of the largest forms."""
_FLOOR_BYTES: Final = 262_144  # of one form beyond that: what one turn of the loop may bring
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class _Shared:
    """What all forms of the process hold in memory; they are closed in any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.held = 0

    def add(self, octets: int) -> None:
        with self._lock:
            self.held += octets


SHARED: Final = _Shared()


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
        held = self.held
        return held > self._memory_bytes or (SHARED.held > SHARED_BYTES and held > _FLOOR_BYTES)

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

    __slots__ = ("_disk", "_held", "_memory", "_spools")

    def __init__(self, spools: Spools) -> None:
        self._spools = spools
        # PERF: copied while it is warm; pieces that are kept until they are written cost as much, and memory.
        self._memory = io.BytesIO()
        self._held = 0
        self._disk: IO[bytes] | None = None

    def write(self, piece: bytes) -> None:
        self._memory.write(piece)
        self._held += len(piece)
        self._spools.held += len(piece)
        SHARED.add(len(piece))

    def write_out(self) -> None:
        """Bring what is held to the disk. Blocks."""
        if not self._held:
            return
        if self._disk is None:
            self._disk = tempfile.TemporaryFile(prefix="penstock-")  # noqa: SIM115 - open until the reply is sent
        self._disk.write(self._memory.getbuffer())
        self._memory = io.BytesIO()
        self._release()

    def opened(self) -> Any:
        """Return it for reading, once it is complete; blocks when some of it is on the disk."""
        if self._disk is None:
            self._memory.seek(0)
            return self._memory
        self.write_out()
        self._disk.seek(0)
        return self._disk

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()
        self._memory.close()
        self._release()

    __del__ = close

    def _release(self) -> None:
        held, self._held = self._held, 0
        SHARED.add(-held)
