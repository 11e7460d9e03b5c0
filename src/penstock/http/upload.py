"""`UploadFile`: a file that came with a form.

Its content is in memory while small, else in a temporary file without a name, which the system removes
whatever becomes of this process. It is open until the reply is sent. Name and type are what the client says:
`filename` is safe to use as a name, neither is safe to believe.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from penstock.http.multipart import PartHead

    Run = Callable[..., Awaitable[Any]]

PIECE_BYTES: Final = 262_144  # read and copied at once; shutil copies 64 KiB to 1 MiB
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


class Store(Protocol):
    """Where the octets of one file go as they come."""

    def write(self, piece: bytes) -> object:
        """Take a piece."""
        ...

    def opened(self) -> io.BufferedIOBase:
        """Return it for reading, once it is complete."""
        ...

    def close(self) -> None: ...


class InMemory(io.BytesIO):
    """A store that keeps everything."""

    def opened(self) -> io.BufferedIOBase:
        self.seek(0)
        return self


class UploadFile:
    """A file of a form. `read` and `save` block; `aread` and `asave` do the same in a thread."""

    __slots__ = ("_run", "_store", "content_type", "file", "filename", "name", "raw_filename", "size")

    def __init__(self, head: PartHead, store: Store, size: int, run: Run | None = None) -> None:
        self.name = head.name
        """Of the field."""
        self.filename = head.filename or "file"
        """Without folders, control characters and all else that is no name; not unique."""
        self.raw_filename = head.raw_filename or ""
        """As the client wrote it: not for the file system."""
        self.content_type = head.content_type or "application/octet-stream"
        self.size = size
        self.file: io.BufferedIOBase
        """The content as a binary file, to read and seek in; from its beginning."""
        self._store = store
        self._run = run

    def settle(self) -> None:
        """The content is complete: open it."""
        self.file = self._store.opened()

    def read(self, size: int = -1) -> bytes:
        """Return the next octets, all that are left for -1; b"" at the end."""
        return self.file.read(size)

    async def aread(self, size: int = -1) -> bytes:
        """Do the same from an `async def`."""
        if self._run is None or isinstance(self.file, io.BytesIO):
            return self.read(size)
        octets: bytes = await self._run(self.read, size)
        return octets

    def __iter__(self) -> Iterator[bytes]:
        """Yield what is left, in pieces."""
        while piece := self.file.read(PIECE_BYTES):
            yield piece

    def save(self, path: str | os.PathLike[str], *, replace: bool = True) -> Path:
        """Store the whole content as `path`, in one step: nobody sees half a file, and a failure leaves
        nothing. FileExistsError when it is there and not to be replaced. Return the path.
        """
        import shutil
        from pathlib import Path

        target = Path(path)
        temporary = target.with_name(f".penstock-upload-{os.urandom(8).hex()}")
        fd = os.open(temporary, _NEW, 0o666)
        try:
            with io.FileIO(fd, "w") as out:
                self.file.seek(0)
                shutil.copyfileobj(self.file, out, PIECE_BYTES)
                os.fsync(fd)
            if replace:
                temporary.replace(target)
            else:
                target.hardlink_to(temporary)  # fails when it is there
                temporary.unlink()
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return target

    async def asave(self, path: str | os.PathLike[str], *, replace: bool = True) -> Path:
        """Do the same from an `async def`."""
        if self._run is None:
            return self.save(path, replace=replace)

        def save() -> Path:
            return self.save(path, replace=replace)

        saved: Path = await self._run(save)
        return saved

    def close(self) -> None:
        """Let go of the content. Done after the reply."""
        self._store.close()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """For models of pydantic: a value that is one already."""
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    def __repr__(self) -> str:
        return f"<UploadFile {self.filename!r}, {self.size} octets>"
