"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"): files that the server sends.

Only what is surely a plain file is sent by its descriptor: the objects `open` returns, by themselves or
inside one that hands their `read` on. A descriptor alone proves nothing: that of a `GzipFile` gives other
octets than its `read`. Everything else is read piece by piece, in a pool thread.
"""

from __future__ import annotations

import os
from io import BufferedRandom, BufferedReader, FileIO
from typing import TYPE_CHECKING, Any

from penstock.http.open_file import OpenFile

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE_BYTES = 65_536


class FileWrapper:
    """An iterable over a file-like object; returned as it is, its file is sent by the server."""

    def __init__(self, file: Any, block_size: int = _PIECE_BYTES) -> None:
        self.file = file
        self._block_size = block_size

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        piece: bytes = self.file.read(self._block_size)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the file, if it can be."""
        close: Callable[[], None] | None = getattr(self.file, "close", None)
        if close is not None:
            close()

    # For middleware that sends a part: Werkzeug asks for these.

    def seekable(self) -> bool:
        """True when `seek` and `tell` work."""
        seekable = getattr(self.file, "seekable", None)
        return seekable() if seekable is not None else hasattr(self.file, "seek")

    def seek(self, *place: int) -> None:
        self.file.seek(*place)

    def tell(self) -> int:
        place: int = self.file.tell()
        return place

    def find_file(self) -> tuple[OpenFile, int] | None:
        """Return the file, on a descriptor of its own, and where reading would go on; None for what is no
        plain file.
        """
        plain = _find_plain(self.file)
        if plain is None:
            return None
        try:
            if isinstance(plain, BufferedRandom):
                plain.flush()
            start = plain.tell()
            return OpenFile(os.dup(plain.fileno())), start
        except OSError:  # a pipe, a device
            return None


def _find_plain(file: Any) -> BufferedReader | BufferedRandom | FileIO | None:
    """The object of `io` that reads when `file` is read."""
    if type(file).__module__ == "tempfile":
        file = getattr(file, "file", None)
    owner: Any = getattr(getattr(file, "read", None), "__self__", None)
    raw = owner.raw if type(owner) in (BufferedReader, BufferedRandom) else owner
    return owner if type(raw) is FileIO else None
