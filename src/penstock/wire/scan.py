"""The one slow path of head parsing: line by line, with the exact fault of the first wrong line.

It takes what the fast expression does not: heads that come in pieces, absolute-form and asterisk-form
targets, an empty line before the request line, and every malformed head. Each line is looked at once, however
small the pieces, so the work is linear; the order of the checks is such that the verdict does not depend on
the cut.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from penstock.errors import RemoteProtocolError
from penstock.wire.grammar import FIELD_LINE, TOKEN, check_octets
from penstock.wire.limits import METHOD_BYTES, Limits
from penstock.wire.target import Target, parse_target

_FIRST = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z\r]")
_LINE = re.compile(rb"(" + TOKEN + rb") ([^ \t\r\n]++) HTTP/([0-9])\.([0-9])\r\n")
_FIELD = re.compile(FIELD_LINE)


class Head(NamedTuple):
    """A complete head, every line of it checked; the field section is raw, its framing not yet decided."""

    method: str
    target: Target
    version: bytes
    section: bytes


class HeadScanner:
    """Reads one head from pieces. Made when it is needed, dropped with the head."""

    __slots__ = ("_at", "_checked", "_fields", "_fields_at", "_limits", "_methods", "_octets", "_start")

    def __init__(self, limits: Limits, methods: dict[bytes, str]) -> None:
        self._limits = limits
        self._methods = methods
        self._octets = bytearray()
        self._start = 0  # where the request line begins: 0, or 2 after an empty line
        self._at = 0  # where the first line begins that is not complete
        self._checked = 0  # octets before this were searched for a line end
        self._fields_at = 0  # where the field section begins; 0 until the request line is there
        self._fields = 0  # field lines so far

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """Take octets; return the head and what follows it, or None: more wanted. RemoteProtocolError at the
        first fault.
        """
        octets = self._octets
        octets += data
        while True:
            end = octets.find(b"\n", self._checked) + 1
            if end == 0:
                self._check_unfinished()
                self._checked = len(octets)
                return None
            line = self._take_line(end)
            if line == b"\r\n":
                if self._fields_at:
                    return self._finish(end)
                if self._start:
                    raise RemoteProtocolError(400, "more than one empty line before a request line")
                self._start = end
            elif not self._fields_at:
                self._check_request_line(line)
                self._fields_at = end
            else:
                self._check_field_line(line)
            self._at = self._checked = end

    @property
    def held(self) -> int:
        """Octets held."""
        return len(self._octets)

    @property
    def has_begun(self) -> bool:
        """True when there is more than the empty line that may precede a request line."""
        return len(self._octets) > 2 or not b"\r\n".startswith(self._octets)

    def _take_line(self, end: int) -> bytes:
        limit = self._limit()
        if self._at == 0 and self._octets[:2] == b"\r\n":  # RFC 9112 §2.2: one empty line is skipped
            return b"\r\n"
        self._check_first()
        check_octets(self._octets, self._at, min(end, limit))
        if end > limit:
            self._refuse_size()
        return bytes(self._octets[self._at : end])

    def _check_unfinished(self) -> None:
        if len(self._octets) == self._at:
            return
        self._check_first()
        limit = self._limit()
        # From one octet back: what was a CR at the end may have become a bare CR.
        check_octets(self._octets, max(self._at, self._checked - 1), limit)
        if len(self._octets) > limit:
            self._refuse_size()

    def _check_first(self) -> None:
        # Not a token: no HTTP at all, perhaps a TLS hello. No need to wait for a line end that may never
        # come.
        if not self._fields_at and self._at == self._start and _FIRST.match(self._octets, self._at) is None:
            raise RemoteProtocolError(
                400, f"a request line cannot begin with octet 0x{self._octets[self._at]:02x}"
            )

    def _limit(self) -> int:
        limits = self._limits
        return self._start + (
            limits.head_bytes if self._fields_at else min(limits.request_line_bytes, limits.head_bytes)
        )

    def _refuse_size(self) -> None:
        if self._fields_at:
            raise RemoteProtocolError(431, f"the head is longer than {self._limits.head_bytes} octets")
        raise RemoteProtocolError(
            414, f"the request line is longer than {self._limits.request_line_bytes} octets"
        )

    def _check_request_line(self, line: bytes) -> None:
        match = _LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(
                400, f"malformed request line {line[:80]!r}; expected method, target, HTTP-version"
            )
        method, target, major, minor = match.groups()
        if len(method) > METHOD_BYTES:
            raise RemoteProtocolError(400, f"a method of more than {METHOD_BYTES} octets")
        if major != b"1":  # RFC 9110 §2.5: a higher minor version is read as the highest known
            raise RemoteProtocolError(
                505, f"HTTP/{major.decode()}.{minor.decode()} is not spoken here; use HTTP/1.1"
            )
        parse_target(method, target)
        if method not in self._methods:
            if method.upper() != method and method.upper() in self._methods:
                raise RemoteProtocolError(400, f"method names are case-sensitive: {method.decode()!r}")
            raise RemoteProtocolError(501, f"method {method.decode()!r} is not known here")

    def _check_field_line(self, line: bytes) -> None:
        self._fields += 1
        if self._fields > self._limits.fields:
            raise RemoteProtocolError(431, f"more than {self._limits.fields} fields")
        check_field_line(line)

    def _finish(self, end: int) -> tuple[Head, bytes]:
        octets = bytes(self._octets)
        method, target, version = octets[self._start : self._fields_at - 2].split(b" ")
        section = octets[self._fields_at : end - 2]
        minor = b"0" if version.endswith(b".0") else b"1"
        return Head(self._methods[method], parse_target(method, target), minor, section), octets[end:]


def check_field_line(line: bytes) -> None:
    """Accept one complete field line (RFC 9112 §5), of a head or of trailers; RemoteProtocolError says what
    is wrong with it.
    """
    if _FIELD.fullmatch(line) is not None:
        return
    name, colon, _ = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        raise RemoteProtocolError(
            400, "a line that begins with white space: folded fields (obs-fold) are refused"
        )
    if not colon:
        raise RemoteProtocolError(400, f"a field line without a colon: {line[:40]!r}")
    if not name:
        raise RemoteProtocolError(400, "a field without a name")
    if name.rstrip(b" \t") != name:
        raise RemoteProtocolError(400, f"white space between field name and colon: {name[:40]!r}")
    raise RemoteProtocolError(400, f"not a field name: {name[:40]!r}")
