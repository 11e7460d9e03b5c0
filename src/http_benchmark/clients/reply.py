"""The reply to one request, from octets as they come (RFC 9112): head, framing, content. No I/O.

Strict where two readers could disagree about where content ends. What is absent: obsolete line folding,
upgrades, content codings.
"""

from __future__ import annotations

import re
from typing import Final

from penstock.errors import RemoteProtocolError
from penstock.wire.chunked import ChunkedDecoder
from penstock.wire.grammar import FIELD_LINE, parse_digits
from penstock.wire.limits import Limits

_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*+)?\r\n(?:" + FIELD_LINE + rb")*+\r\n"
)
_FRAMING: Final = re.compile(rb"\n(?i:(content-length|transfer-encoding|connection)):[ \t]*+([^\r\n]*)")
_LIMITS: Final = Limits(content_bytes=2**62)
_HEAD_BYTES: Final = 65_536
INTERIM_REPLIES: Final = 64
"""1xx before the final reply; more are none."""

_IN_HEAD, _COUNTED, _CHUNKED, _UNTIL_CLOSED, _WHOLE = range(5)


class ShortReply(Exception):
    """The connection ended before the reply did."""


class Reply:
    """Fed with octets until `feed` or `end` says that it is whole."""

    __slots__ = (
        "_chunks",
        "_interim",
        "_is_persistent",
        "_left",
        "_pieces",
        "_state",
        "_unread",
        "has_content",
        "octets",
        "status",
    )

    def __init__(self, *, is_head: bool, keeps: bool) -> None:
        self.status = 0
        """0 until the final head is there; 1xx are read over."""
        self.octets = 0
        self._is_persistent = False
        self.has_content = not is_head
        self._pieces: list[bytes] | None = [] if keeps else None
        self._state = _IN_HEAD
        self._unread = b""
        self._left = 0  # octets of content still to come
        self._interim = 0
        self._chunks: ChunkedDecoder

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can carry another request."""
        return self._state == _WHOLE and self._is_persistent

    @property
    def content(self) -> bytes | None:
        """What has come of it; None where it is not kept."""
        return None if self._pieces is None else b"".join(self._pieces)

    def feed(self, data: bytes) -> bool:
        """Take octets, one or more; return whether the reply is whole. RemoteProtocolError where it is
        none.
        """
        if self._state == _IN_HEAD:
            if self._unread:
                data = self._unread + data
                self._unread = b""
            rest = self._read_head(data)
            if rest is None:
                return False
            if not rest:
                return self._state == _WHOLE
            data = rest
        return self._read_content(data)

    def end(self) -> None:
        """Take the end of the connection. ShortReply, or ConnectionResetError before the first octet, where
        it comes too early.
        """
        self._is_persistent = False
        if self._state == _UNTIL_CLOSED:
            self._state = _WHOLE
        elif self._state == _IN_HEAD and not self._unread:
            raise ConnectionResetError("the server closed the connection without a reply")
        elif self._state != _WHOLE:
            raise ShortReply(f"the connection ended after {self.octets} octets of content")

    def _read_head(self, data: bytes) -> bytes | None:
        """Return what follows the final head, or None: more wanted."""
        while True:
            match = _HEAD.match(data)
            if match is None:
                if b"\r\n\r\n" in data or len(data) > _HEAD_BYTES or not b"HTTP/1."[: len(data)] == data[:7]:
                    raise RemoteProtocolError(502, f"this is no head of a reply: {data[:60]!r}")
                self._unread = data
                return None
            end = match.end()
            status = int(match[2])
            if status >= 200:
                break
            if status == 101:
                raise RemoteProtocolError(502, "the server changed protocols without being asked")
            self._interim += 1
            if self._interim > INTERIM_REPLIES:
                raise RemoteProtocolError(
                    502, f"more than {INTERIM_REPLIES} interim replies before the final one"
                )
            data = data[end:]
            if not data:
                return None
        self.status = status
        self._decide_framing(data[:end], is_old=match[1] == b"0")
        return data[end:]

    def _decide_framing(self, head: bytes, *, is_old: bool) -> None:
        lengths: set[bytes] = set()
        coding = options = b""
        for name, value in _FRAMING.findall(head):
            if len(name) == 14:
                lengths.update(part.strip(b" \t") for part in value.split(b","))
            elif len(name) == 10:
                options += b"," + value.lower()
            else:
                coding += b"," + value.lower()
        said = {part.strip(b" \t") for part in options.split(b",")} if options else ()
        self._is_persistent = b"close" not in said and (not is_old or b"keep-alive" in said)
        if not self.has_content or self.status in {204, 304}:
            self._state = _WHOLE
        elif (
            coding
        ):  # RFC 9112 §6.3 step 4: it overrides Content-Length, and such a connection is not used again
            if lengths or is_old:
                self._is_persistent = False
            if coding.strip(b", \t") == b"chunked":
                self._state = _CHUNKED
                self._chunks = ChunkedDecoder(_LIMITS)
            else:
                raise RemoteProtocolError(
                    502, f"the transfer coding {coding[1:].decode('latin-1')!r} is not known"
                )
        elif lengths:
            if len(lengths) > 1:
                raise RemoteProtocolError(502, "two different Content-Length")
            self._left = parse_digits(lengths.pop(), "Content-Length")
            self._state = _COUNTED if self._left else _WHOLE
        else:
            self._state = _UNTIL_CLOSED

    def _read_content(self, data: bytes) -> bool:
        if self._state == _WHOLE:  # RFC 9112 §9.2: octets nobody asked for
            self._is_persistent = False
            return True
        if self._state == _CHUNKED:
            data, rest = self._chunks.feed(data)
            if rest is not None:
                self._state = _WHOLE
                if rest:
                    self._is_persistent = False
        elif self._state == _COUNTED:
            self._left -= len(data)
            if self._left <= 0:
                self._state = _WHOLE
                if self._left:
                    data = data[: self._left]
                    self._is_persistent = False
        self.octets += len(data)
        if self._pieces is not None and data:
            self._pieces.append(data)
        return self._state == _WHOLE
