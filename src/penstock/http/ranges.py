"""Range requests for octets (RFC 9110 §14): which parts to send, and how to frame several.

A range is (start, stop), half-open, inside the representation; the ranges of one answer never overlap, so
however a client asks, it gets each octet once (§17.15). What is malformed or of another unit is no Range at
all (§14.2): the answer is the whole content, which is never wrong.

Only GET has ranges, and If-Range is asked first (`conditional.range_applies`). Absent on purpose: other
units, reading or sending of content.
"""

from __future__ import annotations

import os
import re
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from penstock.errors import LocalProtocolError
from penstock.http.headers import render_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

Range: TypeAlias = tuple[int, int]
"""First octet, and the one behind the last: `content[start:stop]`."""


class Unsatisfiable(Enum):
    """What `parse_range` returns for 416 Range Not Satisfiable."""

    UNSATISFIABLE = 416


UNSATISFIABLE: Final = Unsatisfiable.UNSATISFIABLE

# Ranges in one request. Readers of PDF ask for a handful; Apache reads 200. The whole content costs us least.
MAX_RANGES = 16

_BYTES = re.compile(r"[Bb][Yy][Tt][Ee][Ss]=")  # RFC 9110 §14.1: names of units ignore case
# RFC 9110 §14.1.1 int-range and suffix-range. 18 digits stay below 2**63: no file is longer.
_SPEC = re.compile(r"([0-9]{0,18}+)-([0-9]{0,18}+)")

_BOUNDARY = re.compile(r"[0-9A-Za-z_-]{1,70}")  # RFC 2046 §5.1.1, without what would need quotes


def parse_range(value: str | None, size: int) -> list[Range] | Unsatisfiable | None:
    """Return the ranges a Range field asks of a representation of `size` octets.

    None means: no Range, send the whole content. UNSATISFIABLE means: 416 with `unsatisfied_range`. A list
    has 1 to 16 ranges, in the order asked, each inside the representation; those that overlap or touch are
    one, at the place of the first of them. More than 16 asked make no Range (None).

    >>> parse_range("bytes=0-499", 1234), parse_range("bytes=-500", 1234), parse_range("bytes=1000-", 1234)
    ([(0, 500)], [(734, 1234)], [(1000, 1234)])
    >>> parse_range("bytes=20-29, 0-9, 5-14", 1234)
    [(20, 30), (0, 15)]
    >>> parse_range("bytes=1234-", 1234)
    <Unsatisfiable.UNSATISFIABLE: 416>
    >>> parse_range("lines=1-2", 1234), parse_range("bytes=9-1", 1234)
    (None, None)
    """
    if value is None:
        return None
    unit = _BYTES.match(value)
    if unit is None or value.count(",") >= 2 * MAX_RANGES:
        return None
    specs = [spec for piece in value[unit.end() :].split(",") if (spec := piece.strip(" \t"))]
    if not 0 < len(specs) <= MAX_RANGES:
        return None
    ranges: list[Range] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None:
            return None
        first, last = match.groups()
        if first:
            start, stop = int(first), min(int(last) + 1, size) if last else size
            if last and int(last) < start:
                return None
        elif last:
            start, stop = max(0, size - int(last)), size
            if not size and int(last):  # satisfiable (RFC 9110 §14.1.2), with no octet to send
                return None
        else:
            return None
        if start < stop:
            _add(ranges, start, stop)
    return ranges or UNSATISFIABLE


def content_range(start: int, stop: int, size: int) -> str:
    """Return the value of Content-Range for a part (RFC 9110 §14.4).

    >>> content_range(0, 500, 1234)
    'bytes 0-499/1234'
    """
    return f"bytes {start}-{stop - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """Return the value of Content-Range for a 416 (RFC 9110 §14.4).

    >>> unsatisfied_range(1234)
    'bytes */1234'
    """
    return f"bytes */{size}"


class Multipart:
    r"""The framing of two ranges or more as multipart/byteranges (RFC 9110 §14.6).

    On the wire: `heads[0]`, the octets of `ranges[0]`, `heads[1]`, ..., `tail`; `content_length` in all.
    The content type is that of the representation. LocalProtocolError for one that cannot be a field value.

    >>> parts = Multipart([(0, 2), (7, 9)], 9, "text/plain", boundary="b")
    >>> parts.media_type, parts.content_length
    ('multipart/byteranges; boundary=b', 137)
    >>> parts.heads[1]
    b'\r\n--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-8/9\r\n\r\n'
    >>> parts.tail
    b'\r\n--b--\r\n'
    """

    __slots__ = ("content_length", "heads", "media_type", "ranges", "tail")

    ranges: Sequence[Range]
    media_type: str
    heads: list[bytes]
    tail: bytes
    content_length: int

    def __init__(
        self,
        ranges: Sequence[Range],
        size: int,
        content_type: str | None = None,
        *,
        boundary: str | None = None,
    ) -> None:
        if boundary is None:
            boundary = os.urandom(16).hex()  # nobody can foresee it and put it into a file
        elif _BOUNDARY.fullmatch(boundary) is None:
            raise LocalProtocolError(detail=f"boundary {boundary[:80]!r}: expected 1 to 70 of A-Za-z0-9_-")
        self.ranges = ranges
        self.media_type = f"multipart/byteranges; boundary={boundary}"
        described = [("Content-Type", content_type)] if content_type is not None else []
        self.heads = []
        delimiter = f"--{boundary}\r\n".encode("latin-1")
        for start, stop in ranges:
            fields = [*described, ("Content-Range", content_range(start, stop, size))]
            self.heads.append(delimiter + render_fields(fields) + b"\r\n")
            delimiter = f"\r\n--{boundary}\r\n".encode("latin-1")
        self.tail = f"\r\n--{boundary}--\r\n".encode("latin-1")
        framing = sum(map(len, self.heads)) + len(self.tail)
        self.content_length = framing + sum(stop - start for start, stop in ranges)


def _add(ranges: list[Range], start: int, stop: int) -> None:
    """Add a range; those it overlaps or touches become one with it, where the first of them was."""
    place = len(ranges)
    for at in range(len(ranges) - 1, -1, -1):
        other_start, other_stop = ranges[at]
        if start <= other_stop and other_start <= stop:
            start, stop = min(start, other_start), max(stop, other_stop)
            del ranges[at]
            place = at
    ranges.insert(place, (start, stop))
