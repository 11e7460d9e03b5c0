"""The chunked transfer coding (RFC 9112 §7.1), both ways, with trailers.

The decoder is fed whatever came and says which octets are content; it holds at most one unfinished line.
Chunk data passes through in the pieces it came in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.errors import LocalProtocolError, RemoteProtocolError
from penstock.http.headers import Headers, MutableHeaders
from penstock.wire.grammar import TOKEN, check_octets, parse_hex
from penstock.wire.scan import check_field_line

if TYPE_CHECKING:
    from penstock.http.response import Fields
    from penstock.wire.limits import Limits

_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
# RFC 9112 §7.1.1 has white space round ";" and "=" parsed and removed; right after the size it is refused,
# for a reader that takes "5 " for another number than this one is how requests are smuggled.
_EXTENSION = rb"[ \t]*+" + TOKEN + rb"(?:[ \t]*=[ \t]*+(?:" + TOKEN + rb"|" + _QUOTED + rb"))?"
_SIZE_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16}+)(?:;" + _EXTENSION + rb"(?:[ \t]*;" + _EXTENSION + rb")*+)?\r\n"
)

# RFC 9110 §6.5.1: fields that frame, route, authenticate or describe the content come too late in trailers.
FORBIDDEN_TRAILERS = frozenset(
    b"authorization cache-control connection content-encoding content-length content-range content-type"
    b" cookie expect host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive"
    b" max-forwards proxy-authorization range set-cookie te trailer transfer-encoding upgrade".split()
)

LAST_CHUNK = b"0\r\n\r\n"

_SIZE, _DATA, _DATA_END, _TRAILER = range(4)


class ChunkedDecoder:
    """Decodes one content. `trailers` is None until the end, then the trailer section, empty when there was
    none.
    """

    __slots__ = (
        "_data_seen",
        "_limits",
        "_line",
        "_lines_seen",
        "_remaining",
        "_state",
        "_trailers",
        "limit_bytes",
        "trailers",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.limit_bytes = limits.content_bytes
        self._state = _SIZE
        self._line = b""  # the unfinished line, or unfinished CR LF after data
        self._remaining = 0  # octets of the current chunk still to come
        self._data_seen = 0
        self._lines_seen = 0  # octets of size lines
        self._trailers: list[bytes] = []
        self.trailers: Headers | None = None

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Return the content in `data`, and what follows the end of the content, or None while the end is not
        reached.
        """
        pieces = []
        at = 0
        while at < len(data):
            if self._state == _DATA:
                piece = data[at : at + self._remaining]
                pieces.append(piece)
                at += len(piece)
                self._remaining -= len(piece)
                if not self._remaining:
                    self._state = _DATA_END
                continue
            line, at = self._take_line(data, at)
            if line is None:
                break
            if self._state == _SIZE:
                self._start_chunk(line)
            elif self._state == _DATA_END:
                self._state = _SIZE
            elif line == b"\r\n":
                self.trailers = Headers(b"".join(self._trailers))
                return b"".join(pieces), data[at:]
            else:
                self._add_trailer(line)
        return b"".join(pieces), None

    def _take_line(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """Return the line that begins in `_line` and goes on at `at`, if it ends in `data`, and where to go
        on.
        """
        end = data.find(b"\n", at) + 1
        line = self._line + (data[at:end] if end else data[at:])
        if self._state == _DATA_END:
            if not b"\r\n".startswith(line[:2]):
                raise RemoteProtocolError(400, f"expected CR LF after the data of a chunk, not {line[:2]!r}")
        else:
            limits = self._limits
            limit = limits.chunk_line_bytes if self._state == _SIZE else limits.trailer_bytes
            check_octets(line, 0, limit)
            if len(line) > limit:
                self._refuse_size()
        if end:
            self._line = b""
            return line, end
        self._line = line
        return None, len(data)

    def _refuse_size(self) -> None:
        if self._state == _SIZE:
            raise RemoteProtocolError(
                400, f"the size line of a chunk is longer than {self._limits.chunk_line_bytes} octets"
            )
        raise RemoteProtocolError(431, f"trailers of more than {self._limits.trailer_bytes} octets")

    def _start_chunk(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(400, f"malformed size line of a chunk: {line[:40]!r}")
        self._remaining = parse_hex(match[1])
        self._data_seen += self._remaining
        if self._data_seen > self.limit_bytes:
            raise RemoteProtocolError(413, f"chunked content of more than {self.limit_bytes} octets")
        self._lines_seen += len(line)
        if self._lines_seen > self._limits.chunk_overhead_bytes + 4 * self._data_seen:
            raise RemoteProtocolError(400, "more chunk extensions than content")
        self._state = _DATA if self._remaining else _TRAILER

    def _add_trailer(self, line: bytes) -> None:
        check_field_line(line)
        name = line.partition(b":")[0].lower()
        if name in FORBIDDEN_TRAILERS:
            raise RemoteProtocolError(400, f"the field {name.decode()!r} is not allowed in trailers")
        self._trailers.append(line)
        if (
            len(self._trailers) > self._limits.trailer_fields
            or sum(map(len, self._trailers)) > self._limits.trailer_bytes
        ):
            raise RemoteProtocolError(
                431, f"more than {self._limits.trailer_fields} fields of trailers, or too long"
            )


def encode_chunk(data: bytes) -> bytes:
    r"""Return `data` as one chunk; b"" for no data, because an empty chunk would end the content.

    >>> encode_chunk(b"hello")
    b'5\r\nhello\r\n'
    """
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def encode_last_chunk(trailers: Fields | None = None) -> bytes:
    """Return the last chunk and the trailer section. LocalProtocolError for a field that may not be a
    trailer.
    """
    if not trailers:
        return LAST_CHUNK
    section = MutableHeaders(trailers)
    for name in section:
        if name.lower().encode("latin-1", "replace") in FORBIDDEN_TRAILERS:
            raise LocalProtocolError(500, f"the field {name!r} is not allowed in trailers")
    return b"0\r\n" + section.rendered() + b"\r\n"
