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

_SMALL_BYTES = 4_096  # each piece of its own costs 33 octets and a slot; smaller ones are put together
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

    __slots__ = ("_file", "_pieces", "_spools")

    def __init__(self, spools: Spools) -> None:
        self._spools = spools
        self._pieces: list[bytes | bytearray] = []
        self._file: IO[bytes] | None = None

    def write(self, piece: bytes) -> None:
        self._spools.held += len(piece)
        pieces = self._pieces
        if len(piece) >= _SMALL_BYTES:
            pieces.append(piece)
        elif pieces and isinstance(pieces[-1], bytearray):
            pieces[-1] += piece
        else:
            pieces.append(bytearray(piece))

    def write_out(self) -> None:
        """Bring what is held to the disk. Blocks."""
        pieces, self._pieces = self._pieces, []
        if not pieces:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="penstock-")  # noqa: SIM115 - open until the reply is sent
        self._file.writelines(pieces)

    def opened(self) -> Any:
        """Return it for reading, once it is complete; blocks when some of it is on the disk."""
        if self._file is None:
            self._file = io.BytesIO(b"".join(self._pieces))
            self._pieces = []
        else:
            self.write_out()
            self._file.seek(0)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._pieces = []
