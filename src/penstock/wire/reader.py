"""Octets of one connection in, requests and their content out.

The fast path: a head that comes alone is split at its first two spaces into method, request-target and the
rest, and each is looked up. A client on a persistent connection sends the same fields again and again, so the
octets of the rest are the key under which its validity, its framing and its parsed `Headers` are kept; the
same for targets. What was looked up was validated when it was put there. A head seen for the first time, or
several in one read, go through one possessive expression for the request line and one for the field section.
Everything else goes to `scan`, the slow path, which alone names faults.
"""

from __future__ import annotations

import re
from functools import lru_cache

from penstock.errors import RemoteProtocolError
from penstock.http.framing import Framing
from penstock.http.headers import Headers
from penstock.http.request import Request
from penstock.wire.chunked import ChunkedDecoder
from penstock.wire.framing import frame
from penstock.wire.grammar import FIELD_LINE, ORIGIN_FORM, REQUEST_LINE
from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.scan import HeadScanner

_PLAIN = Framing()  # no content, persistent: one instance, so that the fast path compares identities
_match_line = re.compile(REQUEST_LINE).match
_match_target = re.compile(ORIGIN_FORM).fullmatch

# Kept rests and targets: at most this many, none longer than this. Full: all are dropped, the busy ones are
# back at once.
_KEPT = 1_024
_REST_BYTES = 2_048
_TARGET_BYTES = 256


class Grammar:
    """What readers with the same limits and methods share: names, the section expression, and what was seen
    and found valid.
    """

    __slots__ = ("_keeps", "is_section", "limits", "methods", "rests", "targets", "usual_methods")

    def __init__(self, limits: Limits, methods: frozenset[str]) -> None:
        self.limits = limits
        self.methods = {name.encode("ascii"): name for name in methods}
        # CONNECT does not take origin-form, so the fast path does not know it.
        self.usual_methods = {octets: name for octets, name in self.methods.items() if name != "CONNECT"}
        self.is_section = re.compile(rb"(?:%b){0,%d}+" % (FIELD_LINE, limits.fields)).fullmatch
        # PERF: 0.5 us a head instead of 0.9 (40 octets) to 8 us (700 octets), benchmarks/head.py.
        self.rests: dict[bytes, tuple[bytes, Headers, Framing]] = {}
        """`HTTP/1.1 CR LF` to the empty line -> minor version, headers, framing."""
        self.targets: dict[bytes, tuple[bytes, bytes]] = {}
        """Origin-form -> path, query."""
        # What is kept must be within the limits however the kept parts are put together.
        self._keeps = limits.request_line_bytes > 2 * _TARGET_BYTES and limits.head_bytes > 2 * (
            _REST_BYTES + _TARGET_BYTES
        )

    def read_section(self, section: bytes, version: bytes) -> tuple[bytes, Headers, Framing]:
        """Return a valid section's headers and framing, and keep them. RemoteProtocolError: the framing is at
        fault.
        """
        rest = b"HTTP/1.%b\r\n%b\r\n" % (version, section)
        known = self.rests.get(rest)
        if known is None:
            framing = frame(section, version)
            known = (version, Headers(section), _PLAIN if framing == _PLAIN else framing)
            if len(rest) <= _REST_BYTES and self._keeps:
                if len(self.rests) >= _KEPT:
                    self.rests.clear()
                self.rests[rest] = known
        return known

    def read_target(self, target: bytes) -> tuple[bytes, bytes] | None:
        """Return path and query of a valid, not overly long origin-form target, and keep them; None for any
        other.
        """
        match = _match_target(target)
        if match is None or len(target) > _TARGET_BYTES or not self._keeps:
            return None
        path, query = match.groups(b"")
        if len(self.targets) >= _KEPT:
            self.targets.clear()
        self.targets[target] = (path, query)
        return path, query


@lru_cache(maxsize=16)
def grammar_for(limits: Limits, methods: frozenset[str]) -> Grammar:
    """Return the grammar all readers with these settings share."""
    return Grammar(limits, methods)


class _Deaf:
    """Stands where a scanner would after a request that is not persistent: what follows is ignored (RFC 9112
    §9.6).
    """

    held = 0
    has_begun = False

    def feed(self, data: bytes) -> None:
        """Ignore `data`."""


_DEAF = _Deaf()


class RequestReader:
    """Reads the requests of one connection. Alternate: a head by `next_request`, its content to the end by
    `next_content`.
    """

    __slots__ = (
        "_chunked",
        "_grammar",
        "_position",
        "_remaining",
        "_scanner",
        "content_limit_bytes",
        "held",
        "trailers",
    )

    def __init__(self, limits: Limits = Limits(), methods: frozenset[str] = STANDARD_METHODS) -> None:
        self._grammar = grammar_for(limits, methods)
        self.held = b""
        """Octets received; those not yet consumed begin at `_position`. Empty when there are none."""
        self._position = 0
        self._scanner: HeadScanner | _Deaf | None = (
            None  # a head that came in pieces; _DEAF after the last request
        )
        self._remaining = 0  # octets of content still to come, when Content-Length says so
        self._chunked: ChunkedDecoder | None = None
        self.content_limit_bytes = limits.content_bytes
        """For the content of the current request; set it between head and content to change it."""
        self.trailers: Headers | None = None

    def next_request(self, data: bytes = b"") -> Request | None:
        """Take octets; return the next request, without its content, or None: more wanted.
        RemoteProtocolError with its status.
        """
        if not self.held and self._scanner is None:
            grammar = self._grammar
            try:
                octets, target, rest = data.split(b" ", 2)
            except ValueError:
                return self._read(data)
            known = grammar.rests.get(rest)
            method = grammar.usual_methods.get(octets)
            if known is None or method is None:
                return self._read(data)
            place = grammar.targets.get(target) or grammar.read_target(target)
            if place is None:
                return self._read(data)
            path, query = place
            version, headers, framing = known
            if framing is not _PLAIN:
                self._expect_content(framing)
            else:
                self.trailers = None
            return Request(method, path, query, version, headers, framing)
        if self._scanner is not None:
            return self._scan(data)
        if data:
            self.hold(data)
        return self._read(self.held)

    def _read(self, data: bytes) -> Request | None:
        """Read one head, from `_position` on, that is complete in `data`; leave all others to the scanner."""
        position = self._position if self.held else 0
        match = _match_line(data, position)
        if match is None:
            return self._start_scan(data, position)
        line_end = match.end()
        end = data.find(b"\r\n\r\n", line_end - 2) + 2
        octets, path, query, version = match.groups()
        grammar = self._grammar
        method, limits = grammar.usual_methods.get(octets), grammar.limits
        section = data[line_end:end]
        if (
            end == 1
            or method is None
            or end + 2 - position > limits.head_bytes
            or line_end - position > limits.request_line_bytes
            or grammar.is_section(section) is None
        ):
            return self._start_scan(data, position)
        version, headers, framing = grammar.read_section(section, version)
        end += 2
        if end == len(data):
            self.held = b""
        else:
            self.held = data
            self._position = end
        self._expect_content(framing)
        return Request(method, path, query or b"", version, headers, framing)

    def _start_scan(self, data: bytes, position: int) -> Request | None:
        self.held = b""
        if position == len(data):
            return None
        self._scanner = HeadScanner(self._grammar.limits, self._grammar.methods)
        return self._scan(data[position:] if position else data)

    def _scan(self, data: bytes) -> Request | None:
        scanner = self._scanner
        assert scanner is not None  # noqa: S101 - the caller looked
        found = scanner.feed(data)
        if found is None:
            return None
        (method, target, version, section), self.held = found
        self._position = 0
        self._scanner = None
        version, headers, framing = self._grammar.read_section(section, version)
        self._expect_content(framing)
        request = Request(method, target.path, target.query, version, headers, framing)
        request.authority = target.authority
        return request

    def _expect_content(self, framing: Framing) -> None:
        limits = self._grammar.limits
        self.content_limit_bytes = limits.content_bytes
        self._remaining = framing.content_length or 0
        self._chunked = ChunkedDecoder(limits) if framing.chunked else None
        self.trailers = None
        if not framing.persistent:
            self._scanner = _DEAF

    def next_content(self, data: bytes = b"") -> bytes | None:
        """Take octets; return the next piece of content, b"" at its end, None: more wanted.
        RemoteProtocolError, 413 over the limit.
        """
        if data:
            self.hold(data)
        if self._chunked is not None:
            return self._next_chunked(self._chunked)
        if not self._remaining:
            return b""
        if self._remaining > self.content_limit_bytes:
            raise RemoteProtocolError(
                413, f"content of {self._remaining} octets; at most {self.content_limit_bytes} are taken"
            )
        piece = self.held[self._position : self._position + self._remaining]
        if not piece:
            return None
        self._remaining -= len(piece)
        self._consume(len(piece))
        return piece

    def _next_chunked(self, chunked: ChunkedDecoder) -> bytes | None:
        chunked.limit_bytes = self.content_limit_bytes
        piece, rest = chunked.feed(self.held[self._position :])
        self._position = 0
        if rest is None:
            self.held = b""
            return piece or None
        self.held = rest
        self.trailers = chunked.trailers
        self._chunked = None
        return piece

    def _consume(self, count: int) -> None:
        self._position += count
        if self._position == len(self.held):
            self.held = b""
            self._position = 0

    def hold(self, data: bytes) -> None:
        """Keep octets that came while the current request is being answered."""
        if self._scanner is not _DEAF or self._remaining or self._chunked is not None:
            self.held = self.held[self._position :] + data if self.held else data
            self._position = 0

    @property
    def buffered(self) -> int:
        """Octets held and not yet given out."""
        held = len(self.held) - self._position if self.held else 0
        return held + (self._scanner.held if self._scanner is not None else 0)

    @property
    def in_head(self) -> bool:
        """True when a head has begun and is not complete."""
        return self._scanner is not None and self._scanner.has_begun

    @property
    def in_content(self) -> bool:
        """True until `next_content` has returned the end."""
        return self._remaining > 0 or self._chunked is not None

    def end_of_input(self) -> None:
        """Tell the reader that the peer sends no more. RemoteProtocolError when that cuts a message short."""
        if self.in_head:
            raise RemoteProtocolError(400, "the connection ended in the middle of a head")
        if self.in_content:
            raise RemoteProtocolError(400, "the connection ended in the middle of the content")
