"""`OpenFile`: a regular file, open for reading, that closes itself with the last who holds it.

The one place of this folder that touches a file system. Whoever sends a file reads at offsets of its own
(sendfile, pread), never at the descriptor's position, so one descriptor serves any number of replies at once;
it is closed when the last of them lets go, however that ends.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from penstock.http.dates import format_date

if TYPE_CHECKING:
    from typing import TypeAlias

    Identity: TypeAlias = tuple[int, int, int, int, int]

# O_NONBLOCK: opening a FIFO must not wait for its writer. O_NOCTTY: a terminal must not become ours.
READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class OpenFile:
    """Owns a descriptor from now on; OSError, and the descriptor closed, when it is no regular file."""

    __slots__ = ("__weakref__", "_modified", "fd", "identity", "size")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError("not a regular file")  # `__del__` closes
        self.size = status.st_size
        """As it was at opening: what is promised is what is sent."""
        self.identity = identity_of(status)
        self._modified = status.st_mtime_ns

    @property
    def etag(self) -> str:
        """What an entity-tag is made of: another content has another time or size."""
        return f"{self._modified:x}-{self.size:x}"

    @property
    def last_modified(self) -> str | None:
        """The value of Last-Modified; a time to come is now (RFC 9110 §8.8.2.1), an impossible one none."""
        from datetime import UTC, datetime

        try:
            return format_date(min(self._modified / 1e9, datetime.now(UTC).timestamp()))
        except (ValueError, OverflowError):
            return None

    def is_unchanged(self) -> bool:
        """Say whether the file is what it was at opening: not written to, cut, replaced or removed."""
        return identity_of(os.fstat(self.fd)) == self.identity

    def read(self) -> bytes:
        """Return the whole content as it is now; blocks."""
        pieces, at = [], 0
        while at < self.size and (piece := os.pread(self.fd, min(self.size - at, 2**20), at)):
            pieces.append(piece)
            at += len(piece)
        return b"".join(pieces)

    def locate(self, path: str) -> str | None:
        """Return `path`, absolute, when it names this file still, unchanged since opened; may block."""
        path = os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow links
        try:
            return path if identity_of(os.stat(path)) == self.identity else None  # noqa: PTH116
        except OSError:
            return None

    def __del__(self) -> None:
        os.close(self.fd)

    def __repr__(self) -> str:
        return f"<OpenFile {self.fd} of {self.size} octets>"


def open_file(path: str | os.PathLike[str]) -> OpenFile:
    """Open a regular file; OSError when there is none."""
    return OpenFile(os.open(path, READING))


def identity_of(status: os.stat_result) -> Identity:
    """Return what changes when a file is replaced, written to, or cut."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
