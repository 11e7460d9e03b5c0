"""Files received: PUT makes or replaces one, POST only makes one.

Content goes to a hidden file beside the target and is on the disk before that gets the name, in one step: a
reader sees the old file or the new one, and a client that leaves, a full disk or an error leave nothing
behind. Waiting for the client holds no thread; writing runs in the pool, in pieces.

The directory must be there, and is reached without following a link; a link in the place of the target is
replaced, not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from threading import Lock
from typing import TYPE_CHECKING, Any

from penstock.app.static.folder import Absent, Folder, OpenFolder
from penstock.errors import ClientDisconnected, HTTPError
from penstock.http.conditional import ETag, Outcome, evaluate
from penstock.http.open_file import READING, OpenFile
from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.http.handler import BodyStream
    from penstock.http.request import Request

_PIECE_BYTES = 256 * 1024  # written at once
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


async def receive(folder: Folder, request: Request, names: Sequence[str], content: BodyStream) -> Response:
    """Receive the content of a request as the file these names lead to: 201 when it is new, else 204."""
    if not names or names[-1] == "":
        raise HTTPError(
            405, "a directory takes no content; name a file", headers={"Allow": "GET, HEAD, OPTIONS"}
        )
    if "content-range" in request.headers:
        raise HTTPError(400, "a part of a file cannot be received (RFC 9110 §14.5)")
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        # Stored as it comes, it would be sent later without a word that it is coded (RFC 9110 §15.5.16).
        raise HTTPError(
            415, "a file is received without content coding", headers={"Accept-Encoding": "identity"}
        )
    begin, go_on = _runners(request)
    upload: _Upload = await begin(_Upload, folder, request, names)
    try:
        pieces: list[bytes] = []
        held = 0
        async for piece in content:
            pieces.append(piece)
            held += len(piece)
            if held >= _PIECE_BYTES:
                await go_on(upload.write, b"".join(pieces))
                pieces, held = [], 0
        file = await go_on(upload.store, b"".join(pieces))
    except BaseException:  # a cancel, too
        upload.abandon()
        raise
    return Response(b"", 201 if upload.is_new else 204, {"ETag": f'"{file.etag}"'})


class _Upload:
    """One file on its way in. Every method blocks."""

    def __init__(self, folder: Folder, request: Request, names: Sequence[str]) -> None:
        self._request = request
        self._temporary = ""
        self._fd = -1
        self._lock = Lock()
        self._is_abandoned = False
        try:
            folder.check(names)
            parent = folder.open(names[:-1])
        except Absent:
            raise HTTPError(409, "there is no such directory to put the file into") from None
        if not isinstance(parent, OpenFolder):
            raise HTTPError(409, "there is no such directory to put the file into")
        self._parent = parent
        self._name = names[-1]
        self.is_new = self._check_target()
        temporary = f".penstock-upload-{os.urandom(8).hex()}"
        self._fd = self._attempt(os.open, temporary, _NEW, 0o666, dir_fd=parent.fd)
        self._temporary = temporary

    def _check_target(self) -> bool:
        """Return True when there is no such file yet; HTTPError when this request may not put it there."""
        request, parent = self._request, self._parent
        try:
            mode = os.stat(self._name, dir_fd=parent.fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            mode = None
        except OSError as error:
            raise HTTPError(409, f"no file can have this name: {error.strerror}") from None
        if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise HTTPError(409, "this is no file, and is not replaced")
        if mode is not None and request.method == "POST":
            raise HTTPError(409, "the file is there already; PUT replaces it")
        file = _open_or_none(self._name, parent.fd) if mode is not None and stat.S_ISREG(mode) else None
        etag = ETag(file.etag) if file is not None else None
        outcome = evaluate(
            request.method, request.headers, etag=etag, last_modified=None, exists=mode is not None
        )
        if outcome is not Outcome.PROCEED:
            raise HTTPError(412)
        return mode is None

    def write(self, octets: bytes) -> None:
        """Write a piece."""
        self._guarded(self._write, octets)

    def store(self, octets: bytes) -> OpenFile:
        """Write the last piece and give the file its name."""
        file: OpenFile = self._guarded(self._store, octets)
        return file

    def abandon(self) -> None:
        """Leave nothing behind; when a thread is at it, that will. Never blocks for long."""
        self._is_abandoned = True
        if self._lock.acquire(blocking=False):
            try:
                self._clean_up()
            finally:
                self._lock.release()

    __del__ = abandon

    def _guarded(self, function: Callable[[bytes], Any], octets: bytes) -> Any:
        # Whoever comes second, this thread behind the lock or `abandon` before it, cleans up.
        try:
            with self._lock:
                if self._is_abandoned:
                    raise ClientDisconnected("the upload was given up")
                return function(octets)
        finally:
            if self._is_abandoned:
                self.abandon()

    def _write(self, octets: bytes) -> None:
        rest = memoryview(octets)
        while rest:
            written = self._attempt(os.write, self._fd, rest)
            rest = rest[written:]

    def _store(self, octets: bytes) -> OpenFile:
        self._write(octets)
        self._attempt(os.fsync, self._fd)
        self._check_target()  # again: time has passed
        self._attempt(self._put_in_place)
        os.fsync(self._parent.fd)
        os.close(self._fd)
        self._fd = -1
        reading = os.open(self._name, READING | os.O_NOFOLLOW, dir_fd=self._parent.fd)
        return OpenFile(reading)

    def _put_in_place(self) -> None:
        fd, temporary, name = self._parent.fd, self._temporary, self._name
        if self._request.method == "PUT":
            os.replace(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        else:  # a link is never put over what is there
            os.link(temporary, name, src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
            os.unlink(temporary, dir_fd=fd)
        self._temporary = ""

    def _clean_up(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._temporary:
            temporary, self._temporary = self._temporary, ""
            os.unlink(temporary, dir_fd=self._parent.fd)

    @staticmethod
    def _attempt(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return call(*args, **options)
        except FileExistsError:
            raise HTTPError(409, "the file is there already; PUT replaces it") from None
        except PermissionError:
            raise HTTPError(403, "this directory takes no files") from None
        except OSError as error:
            if error.errno == errno.EROFS:
                raise HTTPError(403, "this directory takes no files") from None
            if error.errno in _FULL:
                raise HTTPError(507, "there is no room for this file") from None
            raise


def _open_or_none(name: str, fd: int) -> OpenFile | None:
    try:
        return OpenFile(os.open(name, READING | os.O_NOFOLLOW, dir_fd=fd))
    except OSError:
        return None


def _runners(request: Request) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what begins blocking work and what goes on with it: the server's threads, which may refuse the
    first; in process, without a server, both right here.
    """
    server = request.server
    if server is not None:
        return server.run_in_thread, server.continue_in_thread

    async def run(function: Callable[..., Any], *args: object) -> Any:
        return function(*args)

    return run, run
