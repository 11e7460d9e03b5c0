"""Octets of one connection in, requests and their content out.

Clients repeat themselves, so what was read once is looked up the next time: first the whole head by its
octets; then, for a head with another target, everything behind the target, which brings the framing and the
parsed `Headers` with it. What is not known is validated by one possessive expression for the target and one
for the rest, and kept. Whatever these do not accept, in pieces or faulty, goes to `scan`, the slow path,
which alone names faults.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from penstock.errors import RemoteProtocolError
from penstock.http.headers import Headers
from penstock.http.request import Request
from penstock.wire.chunked import ChunkedDecoder
from penstock.wire.framing import PLAIN, frame
from penstock.wire.grammar import FIELD_LINE, ORIGIN_FORM, PLAIN_HOST, PLAIN_LINE
from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.scan import HeadScanner

if TYPE_CHECKING:
    from penstock.http.framing import Framing

_match_target = re.compile(ORIGIN_FORM).fullmatch

# Kept heads and rests: at most this many of each, none longer than this. Full: all are dropped, and the busy
# ones are back at once.
_KEPT = 1_024
_KEPT_BYTES = 1_024
# What is read ahead is held in pieces of about this size, however small they come.
_PIECE_BYTES = 65_536
# A head or rest is kept when it comes a second time, so that what never comes again costs no table: 1.0 us.
# As many are remembered by hash.
_SEEN = 4_096


class Grammar:
    """What readers with the same limits and methods share: names, expressions, and what was seen and found
    valid.
    """

    __slots__ = (
        "_match_plain",
        "_match_rest",
        "_seen",
        "heads",
        "limits",
        "methods",
        "plain_bytes",
        "rests",
        "usual_methods",
    )

    def __init__(self, limits: Limits, methods: frozenset[str]) -> None:
        self.limits = limits
        self.methods = {name.encode("ascii"): name for name in methods}
        # CONNECT does not take origin-form, so the fast path does not know it.
        self.usual_methods = {octets: name for octets, name in self.methods.items() if name != "CONNECT"}
        section = rb"((?:%b){0,%d}+)" % (FIELD_LINE, limits.fields)
        self._match_rest = re.compile(rb"HTTP/1\.([01])\r\n%b\r\n" % section).fullmatch
        plain = rb"(%b%b{0,%d}+)" % (PLAIN_HOST, PLAIN_LINE, max(0, limits.fields - 1))
        self._match_plain = re.compile(rb"HTTP/1\.1\r\n%b\r\n" % plain).fullmatch
        # PERF: 0.3 us for a head seen before, 1.5 for one with a rest seen before, 2 to 5 for another; by
        # size in benchmarks/head.py.
        self._seen = [0] * _SEEN
        self.plain_bytes = min(limits.request_line_bytes, limits.head_bytes)
        """A head no longer than this is within every limit."""
        self.heads: dict[bytes, tuple[str, bytes, bytes, bytes, Headers]] = {}
        """Heads with PLAIN framing, whole -> method, path, query, minor version, headers."""
        self.rests: dict[bytes, tuple[bytes, Headers, Framing]] = {}
        """From `HTTP/1.1 CR LF` to the empty line -> minor version, headers, framing."""

    def read_rest(self, rest: bytes) -> tuple[bytes, Headers, Framing] | None:
        """Return minor version, headers and framing of a valid rest of a head, and keep them if it came
        before; None when it is not valid.

        RemoteProtocolError: the fields are well-formed, the framing they ask for is not.
        """
        # PERF: one expression for fields and framing, 0.5 us against 1.2 for 40 octets, 2.4 against 3.5 for
        # 714.
        match = self._match_plain(rest)
        if match is not None:
            known = (b"1", Headers(match[1]), PLAIN)
        else:
            match = self._match_rest(rest)
            if match is None:
                return None
            version, section = match.groups()
            known = (version, Headers(section), frame(section, version))
        if len(rest) <= _KEPT_BYTES and self.was_seen(rest):
            if len(self.rests) >= _KEPT:
                self.rests.clear()
            self.rests[rest] = known
        return known

    def was_seen(self, octets: bytes) -> bool:
        """True when this head or rest, or rarely another of the same hash, came before not long ago; note
        that it came.
        """
        key = hash(octets)
        place = key % _SEEN
        was_seen = self._seen[place] == key
        self._seen[place] = key
        return was_seen

    def keep_head(self, head: bytes, known: tuple[str, bytes, bytes, bytes, Headers]) -> None:
        """Keep a whole head with PLAIN framing."""
        if len(head) <= _KEPT_BYTES:
            if len(self.heads) >= _KEPT:
                self.heads.clear()
            self.heads[head] = known


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
        "_later",
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
        self._later: list[bytes] = []
        """What came after `held`, which is not empty then."""
        self._scanner: HeadScanner | _Deaf | None = None
        """For a head that came in pieces; `_DEAF` after the last request."""
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
            known = grammar.heads.get(data)
            if known is None:
                return self._read_alone(grammar, data)
            self.trailers = None
            method, path, query, version, headers = known
            return Request(method, path, query, version, headers, PLAIN)
        if self._scanner is not None:
            return self._scan(data)
        if data:
            self.hold(data)
        if self._later:
            self._gather()
        return self._read(self.held, self._position)

    def _read_alone(self, grammar: Grammar, data: bytes) -> Request | None:
        """Read a head that comes alone; leave others to `_read`."""
        try:
            octets, target, rest = data.split(b" ", 2)
        except ValueError:
            return self._read(data, 0)
        method = grammar.usual_methods.get(octets)
        match = _match_target(target)
        if method is None or match is None or len(data) > grammar.plain_bytes:
            return self._read(data, 0)
        known = grammar.rests.get(rest)
        if known is None:
            known = grammar.read_rest(rest) if rest.endswith(b"\r\n\r\n") else None
            if known is None:
                return self._read(data, 0)
        path, query = match.groups(b"")
        version, headers, framing = known
        if framing is PLAIN:
            self.trailers = None
            if grammar.was_seen(data):
                grammar.keep_head(data, (method, path, query, version, headers))
        else:
            self._expect_content(framing)
        return Request(method, path, query, version, headers, framing)

    def _read(self, data: bytes, position: int) -> Request | None:
        """Read the head that begins at `position`; leave to the scanner what is not complete or not plain."""
        end = data.find(b"\r\n\r\n", position) + 4
        head = data[position:end]
        grammar = self._grammar
        try:
            octets, target, rest = head.split(b" ", 2)
            method = grammar.usual_methods[octets]
        except (KeyError, ValueError):
            return self._start_scan(data, position)
        match, limits = _match_target(target), grammar.limits
        if (
            match is None
            or len(head) > limits.head_bytes
            or len(octets) + len(target) + len(b"  HTTP/1.1\r\n") > limits.request_line_bytes
        ):
            return self._start_scan(data, position)
        known = grammar.rests.get(rest) or grammar.read_rest(rest)
        if known is None:
            return self._start_scan(data, position)
        if end == len(data):
            self.held = b""
        else:
            self.held = data
            self._position = end
        path, query = match.groups(b"")
        version, headers, framing = known
        self._expect_content(framing)
        return Request(method, path, query, version, headers, framing)

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
        headers, framing = Headers(section), frame(section, version)
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
        if self._later:
            self._gather()
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
            if self._later and len(self._later[-1]) < _PIECE_BYTES:
                self._later[-1] += data
            elif self.held:  # not joined to it before somebody reads: that would be quadratic
                self._later.append(data)
            else:
                self.held = data
                self._position = 0

    def _gather(self) -> None:
        """Have all that is held in `held`."""
        self.held = self.held[self._position :] + b"".join(self._later)
        self._position = 0
        self._later = []

    def take_rest(self) -> bytes:
        """Return what came after the current request, and forget it: it is of another protocol (RFC 9110
        §7.8).
        """
        self._gather()
        rest, self.held = self.held, b""
        return rest

    @property
    def buffered(self) -> int:
        """Octets held and not yet given out."""
        held = len(self.held) - self._position + sum(map(len, self._later)) if self.held else 0
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
