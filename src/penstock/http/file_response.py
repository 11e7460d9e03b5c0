"""`FileResponse`: a file, or parts of one, as a response; the server sends it without reading it.

The file is opened when the response is made, so what is promised is what is sent: a file replaced later is
another file. Conditional requests and ranges are honoured when it is sent (`http.partial`). The descriptor
closes with the response, sent or not (`http.open_file`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from penstock.errors import HTTPError
from penstock.http.media_types import media_type_of
from penstock.http.open_file import OpenFile, open_file
from penstock.http.query import encode_segment
from penstock.http.response import OCTETS, Response, StreamResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from penstock.http.ranges import Range
    from penstock.http.response import Fields

_PIECE_BYTES = 128 * 1024
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FileResponse(Response):
    """A file by its path. ETag, Last-Modified and Accept-Ranges are set unless they are given; the media type
    follows from the name unless it is given. `download_as` has browsers save it under that name.

    HTTPError 404 when the path names no regular file. Making one opens the file, which may block: return it
    from a `def` handler. A path with parts that a client chose is for `StaticFiles`.
    """

    __slots__ = ("after", "file", "is_final", "path", "spans")

    is_stream = True

    def __init__(
        self,
        path: str | os.PathLike[str] | OpenFile,
        status: int = 200,
        headers: Fields | None = None,
        media_type: str | None = None,
        *,
        download_as: str | None = None,
        spans: Sequence[bytes | Range] | None = None,
    ) -> None:
        self.path: str | None = None
        """Where the file was, if it is known."""
        if isinstance(path, OpenFile):
            file = path
        else:
            file = _open(path)
            self.path = os.fspath(path)
            media_type = media_type or media_type_of(os.fspath(path))
        super().__init__(b"", status, headers, media_type)
        self.file = file
        self.spans: Sequence[bytes | Range] = [(0, file.size)] if spans is None else spans
        """What is sent, in order: octets as they are, ranges out of the file."""
        self.is_final = spans is not None
        """True: conditions and ranges of the request are heard already."""
        self.after: Callable[[], None] | None = None
        """With `spans`: called in a thread once the response is sent or given up."""
        fields = self.headers
        if spans is None:
            fields.setdefault("ETag", f'"{file.etag}"')
            modified = file.last_modified
            if modified is not None:
                fields.setdefault("Last-Modified", modified)
            fields.setdefault("Accept-Ranges", "bytes")
        if download_as is not None:
            fields["Content-Disposition"] = _disposition(download_as)
        fields["Content-Length"] = str(self.content_length)

    @property
    def content_length(self) -> int:
        """Octets to send."""
        return sum(len(span) if isinstance(span, bytes) else span[1] - span[0] for span in self.spans)

    def to_stream(self) -> StreamResponse:
        """Return the same as a stream, for a server that sends no files: it reads a piece at a time, and
        blocks.
        """
        return StreamResponse(
            _pieces(self.file, self.spans), self.status, self.headers.lines(), self.media_type or OCTETS
        )


def _pieces(file: OpenFile, spans: Sequence[bytes | Range]) -> Iterator[bytes]:
    for span in spans:
        if isinstance(span, bytes):
            yield span
            continue
        at, stop = span
        while at < stop:
            piece = os.pread(file.fd, min(stop - at, _PIECE_BYTES), at)
            if not piece:
                raise RuntimeError("the file became shorter while it was sent")
            yield piece
            at += len(piece)


def _open(path: str | os.PathLike[str]) -> OpenFile:
    try:
        return open_file(path)
    except _ABSENT:
        raise HTTPError(404) from None


def _disposition(name: str) -> str:
    """Return the value of Content-Disposition for a file to be saved (RFC 6266 §4.3, RFC 8187)."""
    plain = "".join(
        sign if sign.isascii() and sign.isprintable() and sign not in '"\\%' else "_" for sign in name
    )
    value = f'attachment; filename="{plain}"'
    if plain == name:
        return value
    encoded = encode_segment(name)
    for sign in "'()*=,;:@":
        encoded = encoded.replace(sign, f"%{ord(sign):02X}")
    return f"{value}; filename*=UTF-8''{encoded}"
