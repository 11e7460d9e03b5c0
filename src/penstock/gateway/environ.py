"""The environment of a WSGI call (PEP 3333, "environ Variables") and its input stream.

Text is latin-1 of the octets, as the PEP has it. A field whose name has an underscore is dropped: CGI spells
it like the one with a dash, so a client could pass one off as the other (CVE-2015-0219).
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, ConnectionLost, HTTPError
from penstock.gateway.fields import split_section
from penstock.gateway.file_wrapper import FileWrapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BytesIO

    from penstock.http.handler import BodyStream
    from penstock.http.request import Request

_KEPT = 512
_KEPT_BYTES = 4096

_NOWHERE = ("", None)


def make_environ(request: Request, content: BytesIO | Input) -> dict[str, Any]:
    """Return the environment of the call for `request`."""
    raw = request.headers.raw
    connection = request.connection
    local = connection.local if connection is not None else _NOWHERE
    # PERF: the same with every request of a connection; 0.3 us against 3.
    make = _keep_known if len(raw) <= _KEPT_BYTES else _read_known
    environ = make(raw, local, request.scheme, request.version).copy()
    raw_path = request.raw_path
    path = target = raw_path.decode("latin-1")
    query = request.raw_query.decode("latin-1")
    if query:
        target = f"{path}?{query}"
    environ["REQUEST_METHOD"] = request.method
    environ["PATH_INFO"] = path if "%" not in path else _unquote(raw_path)
    environ["QUERY_STRING"] = query
    environ["RAW_URI"] = environ["REQUEST_URI"] = target
    client = request.client
    if client is not None:
        environ["REMOTE_ADDR"] = client[0]
        environ["REMOTE_PORT"] = str(client[1])
    environ["wsgi.input"] = content
    environ["wsgi.errors"] = sys.stderr
    if not request.is_plain:  # proxies, mounts, and the authority of the target (RFC 9112 §3.2.2)
        mounted_at = request.mounted_at.encode("ascii")
        environ["SCRIPT_NAME"] = _unquote(request.prefix.encode() + mounted_at)
        if mounted_at:
            environ["PATH_INFO"] = _unquote(raw_path[len(mounted_at) :])
        if request.authority is not None:
            environ["HTTP_HOST"] = request.authority.decode("ascii")
    return environ


def _read_known(raw: bytes, local: tuple[str, int | None], scheme: str, version: bytes) -> dict[str, Any]:
    """What depends on the fields and on where they were received, and what is the same for all."""
    host, port = local
    environ: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port) if port is not None else "",
        "SERVER_PROTOCOL": "HTTP/1.1" if version == b"1" else "HTTP/1.0",
        "wsgi.url_scheme": scheme,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    for name, value in split_section(raw):
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            environ.setdefault(key, value.decode("latin-1"))  # `wire` accepts equal lengths only
            continue
        key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            # RFC 9110 §5.3; cookies are the one list that is joined otherwise.
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    return environ


_keep_known = lru_cache(_KEPT)(_read_known)


def _unquote(raw_path: bytes) -> str:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(raw_path).decode("latin-1")


class Input:
    """`wsgi.input` over content that still comes: the thread waits for as much as it asks for.

    It ends where the content ends, whatever the application asks for.
    """

    def __init__(self, stream: BodyStream) -> None:
        self._pieces = iter(stream)
        self._held = b""
        self._is_ended = False
        self.fault: HTTPError | None = None
        """Why the content was refused: then the answer is no longer the application's."""

    def read(self, size: int | None = -1) -> bytes:
        """Return `size` octets, fewer only at the end; without a size all that is left."""
        if size is None or size < 0:
            pieces = [self._held]
            while piece := self._next():
                pieces.append(piece)
            self._held = b""
            return b"".join(pieces)
        while len(self._held) < size and (piece := self._next()):
            self._held += piece
        return self._take(size)

    def readline(self, size: int | None = -1) -> bytes:
        """Return up to the next LF, at most `size` octets; b"" at the end."""
        limit = None if size is None or size < 0 else size
        searched = 0
        while (at := self._held.find(b"\n", searched)) < 0 and (limit is None or len(self._held) < limit):
            searched = len(self._held)
            piece = self._next()
            if not piece:
                break
            self._held += piece
        end = at + 1 if at >= 0 else len(self._held)
        return self._take(end if limit is None else min(end, limit))

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Return the lines that are left, or as many as make up `hint` octets."""
        lines, total = [], 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _next(self) -> bytes:
        """The next piece, b"" at the end."""
        if self._is_ended:
            return b""
        try:
            piece = next(self._pieces, b"")
        except ClientDisconnected as error:
            raise ConnectionLost(str(error)) from None
        except HTTPError as fault:
            self.fault = fault
            raise ConnectionLost(f"the content was refused: {fault}") from None
        self._is_ended = not piece
        return piece
