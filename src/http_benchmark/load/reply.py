"""HTTP/1.1 replies as a strict client reads them (RFC 9112): octets in, a verdict out; no socket, no clock.

Nothing is kept of content. What is held is at most one unfinished head, one line of the chunked coding. A
reply that breaks a rule is a ReplyFault of a class of `ErrorClass`: "protocol" for what no server may send,
"short" for what was cut off, "reset" for none at all. The fault does not depend on how the octets were cut.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.errors import ProtocolError, RemoteProtocolError
from penstock.wire.chunked import ChunkedDecoder
from penstock.wire.grammar import FIELD_LINE, check_octets, parse_digits
from penstock.wire.limits import Limits
from penstock.wire.scan import check_field_line

if TYPE_CHECKING:
    from http_benchmark.load.expectation import Expectation

HEAD_BYTES: Final = 65_536
"""The longest head that is taken for one; curl takes 100 KiB, browsers 256 KiB."""

INTERIM_REPLIES: Final = 64
"""1xx before a final reply; more are no reply at all."""

_LIMITS = Limits(content_bytes=1 << 62)
_STATUS = rb"HTTP/1\.([01]) ([1-5][0-9]{2}) [\t -~\x80-\xff]*+\r\n"
_STATUS_LINE = re.compile(_STATUS)
_HEAD = re.compile(_STATUS + rb"((?:" + FIELD_LINE + rb")*+)\r\n")
_FRAMING = re.compile(
    rb"^(content-length|transfer-encoding|connection|set-cookie):[ \t]*+([^\r\n]*+)\r$",
    re.IGNORECASE | re.MULTILINE,
)
_BEGINNING = b"HTTP/1."

_UNTIL_CLOSE: Final = -1
_CHUNKED: Final = -2


class ReplyFault(Exception):
    """A reply that is none, with its class."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Head(NamedTuple):
    """What a head says about its reply."""

    status: int
    length: int
    """Octets of content, or how it ends."""
    keeps: bool
    """Whether the connection may be used again."""
    set_cookies: tuple[bytes, ...]


class ReplyReader:
    """Reads one reply after the other. Give it what is expected, then octets until a reply is complete."""

    __slots__ = ("_decoder", "_held", "_interim", "_is_right", "_remaining", "_seen", "expected", "head")

    def __init__(self) -> None:
        self._held = bytearray()
        self._decoder: ChunkedDecoder | None = None
        self._interim = 0
        self.head: Head | None = None
        """Of the reply that is being read, or was read last."""

    def expect(self, expected: Expectation) -> None:
        """Begin a reply."""
        self.expected = expected
        self.head = None
        self._interim = 0
        self._held.clear()

    @property
    def has_begun(self) -> bool:
        """Whether an octet of the reply was read."""
        return self.head is not None or bool(self._held) or self._interim > 0

    @property
    def is_content_right(self) -> bool:
        """Of a complete reply: whether its content is what was expected."""
        body = self.expected.body
        return body is None or (self._is_right and self._seen == len(body))

    def feed(self, octets: bytes) -> bytes | None:
        """Return what follows the reply, or None: more wanted. ReplyFault at the first fault."""
        try:
            if self.head is None:
                rest = self._read_head(octets)
                if rest is None:
                    return None
                octets = rest
            return self._read_content(octets)
        except ProtocolError as error:
            raise ReplyFault("protocol", f"{self.expected.label}: {error.detail}") from None

    def end(self) -> None:
        """The server has closed: accept a reply that ends so; ReplyFault for all others."""
        label = self.expected.label
        if self.head is None:
            if self._held or self._interim:
                raise ReplyFault("short", f"{label}: closed in the middle of the head of the reply")
            raise ReplyFault("reset", f"{label}: closed without a reply")
        if self.head.length == _UNTIL_CLOSE:
            return
        missing = "" if self.head.length == _CHUNKED else f", {self._remaining} octets before its end"
        raise ReplyFault("short", f"{label}: closed in the middle of the content{missing}")

    def _read_head(self, octets: bytes) -> bytes | None:
        """Return what follows the head of the final reply."""
        while True:
            if self._held:
                seen = max(0, len(self._held) - 3)
                self._held += octets
                end = self._held.find(b"\r\n\r\n", seen) + 4
                if end == 3 or end > HEAD_BYTES:
                    self._check_unfinished(seen)
                    return None
                whole, octets = bytes(self._held[:end]), bytes(self._held[end:])
                self._held.clear()
            else:
                end = octets.find(b"\r\n\r\n") + 4
                if end == 3 or end > HEAD_BYTES:
                    self._held += octets
                    if octets:
                        self._check_unfinished(0)
                    return None
                whole, octets = octets[:end], octets[end:]
            head = self.expected.heads.get(whole)
            if head is None:
                head = read_head(whole, is_head=self.expected.is_head)
                self.expected.remember_head(whole, head)
            if head.status >= 200:
                self._begin_content(head)
                return octets
            self._interim += 1
            if self._interim > INTERIM_REPLIES:
                raise RemoteProtocolError(502, f"more than {INTERIM_REPLIES} 1xx replies")

    def _check_unfinished(self, seen: int) -> None:
        """Refuse what can be no head any more, for its end may never come."""
        held = self._held
        if not held.startswith(_BEGINNING[: len(held)]):
            raise RemoteProtocolError(502, f"no HTTP/1.1 reply: {bytes(held[:40])!r}")
        check_octets(held, seen, HEAD_BYTES)
        if b"\n" in held and _STATUS_LINE.match(held) is None:
            raise RemoteProtocolError(502, _status_fault(bytes(held)))
        if len(held) > HEAD_BYTES:
            raise RemoteProtocolError(502, f"a head of more than {HEAD_BYTES} octets")

    def _begin_content(self, head: Head) -> None:
        self.head = head
        self._remaining = head.length
        self._seen = 0
        self._is_right = True
        self._decoder = ChunkedDecoder(_LIMITS) if head.length == _CHUNKED else None

    def _read_content(self, octets: bytes) -> bytes | None:
        if self._decoder is not None:
            content, rest = self._decoder.feed(octets)
            self._compare(content)
            return rest
        if self._remaining == _UNTIL_CLOSE:
            self._compare(octets)
            return None
        if self._remaining > len(octets):
            self._remaining -= len(octets)
            self._compare(octets)
            return None
        end, self._remaining = self._remaining, 0
        self._compare(octets[:end])
        return octets[end:]

    def _compare(self, content: bytes) -> None:
        body = self.expected.body
        if body is not None and self._is_right:
            self._is_right = body[self._seen : self._seen + len(content)] == content
        self._seen += len(content)


def read_head(octets: bytes, *, is_head: bool = False) -> Head:
    r"""Return what a complete head says; ProtocolError for a malformed one.

    >>> read_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").length
    5
    """
    match = _HEAD.fullmatch(octets)
    if match is None:
        check_octets(octets, 0, len(octets))
        if _STATUS_LINE.match(octets) is None:
            raise RemoteProtocolError(502, _status_fault(octets))
        for line in octets.split(b"\r\n")[1:-2]:
            check_field_line(line + b"\r\n")
        raise RemoteProtocolError(502, f"a malformed head: {octets[:80]!r}")
    status = int(match[2])
    lengths, codings, options, cookies = [], [], [], []
    for name, value in _FRAMING.findall(match[3]):
        kind = name.lower()
        if kind == b"content-length":
            lengths.append(value.strip(b" \t"))
        elif kind == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
        elif kind == b"connection":
            options += [option.strip(b" \t").lower() for option in value.split(b",")]
        else:
            cookies.append(value)
    keeps = b"close" not in options and (match[1] == b"1" or b"keep-alive" in options)
    length = _length_of(status, match[1], lengths, codings, is_head=is_head)
    return Head(status, length, keeps and length != _UNTIL_CLOSE, tuple(cookies))


def _length_of(
    status: int, minor: bytes, lengths: list[bytes], codings: list[bytes], *, is_head: bool
) -> int:
    """RFC 9112 §6.3, and what §6.1 and §6.2 forbid servers."""
    if status == 101:
        raise RemoteProtocolError(502, "status 101: nobody asked for another protocol")
    if codings and lengths:
        raise RemoteProtocolError(502, "both Content-Length and Transfer-Encoding")
    if codings and (codings != [b"chunked"] or minor == b"0"):
        raise RemoteProtocolError(
            502, f"Transfer-Encoding {b', '.join(codings)!r} in HTTP/1.{minor.decode()}"
        )
    if len(lengths) > 1:
        raise RemoteProtocolError(502, "more than one Content-Length")
    length = parse_digits(lengths[0], "Content-Length") if lengths else _UNTIL_CLOSE
    if status < 200 or status == 204:
        if codings or length > 0:
            raise RemoteProtocolError(502, f"status {status} with content")
        return 0
    if is_head or status == 304:
        return 0
    return _CHUNKED if codings else length


def _status_fault(octets: bytes) -> str:
    line = octets.partition(b"\r\n")[0]
    return f"malformed status line {line[:60]!r}; expected HTTP/1.1, three digits, a reason"
