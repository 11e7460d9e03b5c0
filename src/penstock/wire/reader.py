"""Octets of one connection in, requests and their content out.

The fast path is one expression over the request line and one look-up of the whole field section: a client on a persistent
connection sends the same fields again and again, so the section's octets are the key under which its validity, its framing
and its parsed `Headers` are kept. A section not seen before is validated by one possessive expression. Everything else goes
to `scan`, the slow path. There is no third.
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
from penstock.wire.grammar import FIELD_LINE, REQUEST_LINE
from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.scan import HeadScanner

_PLAIN = Framing()  # no content, persistent: one instance, so that the fast path compares identities
_match_line = re.compile(REQUEST_LINE).match

# Kept sections: at most this many, none longer than this. Full: all are dropped, the busy ones are back at once.
_SECTIONS = 1_024
_SECTION_BYTES = 2_048


class Grammar:
    """What readers with the same limits and methods share: names, the section expression, the sections seen."""

    __slots__ = ("is_section", "limits", "methods", "sections")

    def __init__(self, limits: Limits, methods: frozenset[str]) -> None:
        self.limits = limits
        self.methods = {name.encode("ascii"): name for name in methods}
        self.is_section = re.compile(rb"(?:%b){0,%d}+" % (FIELD_LINE, limits.fields)).fullmatch
        # PERF: 0.35 us against 2.5 (3 fields) to 8 us (12 fields) for a section seen before, benchmarks/head.py. By minor version.
        self.sections: dict[bytes, dict[bytes, tuple[Headers, Framing]]] = {b"0": {}, b"1": {}}

    def read_section(self, section: bytes, version: bytes) -> tuple[Headers, Framing]:
        """Return a valid section's headers and framing, and keep them. RemoteProtocolError: the framing is at fault."""
        framing = frame(section, version)
        known = (Headers(section), _PLAIN if framing == _PLAIN else framing)
        if len(section) <= _SECTION_BYTES:
            sections = self.sections[version]
            if len(sections) >= _SECTIONS:
                sections.clear()
            sections[section] = known
        return known


@lru_cache(maxsize=16)
def grammar_for(limits: Limits, methods: frozenset[str]) -> Grammar:
    """Return the grammar all readers with these settings share."""
    return Grammar(limits, methods)


class _Deaf:
    """Stands where a scanner would after a request that is not persistent: what follows is ignored (RFC 9112 §9.6)."""

    held = 0

    def feed(self, data: bytes) -> None:
        """Ignore `data`."""


_DEAF = _Deaf()


class RequestReader:
    """Reads the requests of one connection. Alternate: a head by `next_request`, its content to the end by `next_content`."""

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
        self._scanner: HeadScanner | _Deaf | None = None  # a head that came in pieces; _DEAF after the last request
        self._remaining = 0  # octets of content still to come, when Content-Length says so
        self._chunked: ChunkedDecoder | None = None
        self.content_limit_bytes = limits.content_bytes
        """For the content of the current request; set it between head and content to change it."""
        self.trailers: Headers | None = None

    def next_request(self, data: bytes = b"") -> Request | None:
        """Take octets; return the next request, without its content, or None: more wanted. RemoteProtocolError with its status."""
        if self._scanner is not None:
            return self._scan(data)
        if self.held:
            data = self.held[self._position :] + data if data else self.held
            position = 0 if data is not self.held else self._position
        else:
            position = 0
        match = _match_line(data, position)
        if match is None:
            return self._start_scan(data, position)
        line_end = match.end()
        end = data.find(b"\r\n\r\n", line_end - 2) + 2
        grammar = self._grammar
        if end == 1:
            return self._start_scan(data, position)
        section = data[line_end:end]
        octets, path, query, version = match.groups()
        method = grammar.methods.get(octets)
        known = grammar.sections[version].get(section)
        limits = grammar.limits
        if known is None:
            if method is None or grammar.is_section(section) is None:
                return self._start_scan(data, position)
        if (
            method is None
            or end + 2 - position > limits.head_bytes
            or line_end - position > limits.request_line_bytes
        ):
            return self._start_scan(data, position)
        if known is None:
            known = grammar.read_section(section, version)
        headers, framing = known
        end += 2
        if end == len(data):
            self.held = b""
        else:
            self.held = data
            self._position = end
        if framing is not _PLAIN:
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
        headers, framing = self._grammar.sections[version].get(section) or self._grammar.read_section(section, version)
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
        """Take octets; return the next piece of content, b"" at its end, None: more wanted. RemoteProtocolError, 413 over the limit."""
        if data:
            self.hold(data)
        if self._chunked is not None:
            return self._next_chunked(self._chunked)
        if not self._remaining:
            return b""
        if self._remaining > self.content_limit_bytes:
            raise RemoteProtocolError(413, f"content of {self._remaining} octets; at most {self.content_limit_bytes} are taken")
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
        return self._scanner is not None and self._scanner.held > 0

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
