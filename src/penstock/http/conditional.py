"""Conditional requests (RFC 9110 §13): entity-tags, and what the five If-* fields make of a request.

`evaluate` answers the four fields that decide about the method, in the order of §13.2.2; `range_applies`
answers If-Range, which only decides about Range. Both take what the server knows of the selected
representation; a date it does not know, or the client wrote wrongly, plays no part.

What cannot be read is taken for the answer that does no harm: a broken If-Match holds for nothing, a broken
If-None-Match lets a GET have its content and keeps a PUT from overwriting. To be asked only where the answer
without conditions would be a 2xx (§13.2.1). Absent on purpose: making entity-tags out of files or content.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from penstock.errors import LocalProtocolError
from penstock.http.dates import parse_date

if TYPE_CHECKING:
    from penstock.http.headers import Headers, MutableHeaders

# RFC 9110 §8.8.3: etagc is any visible octet but the double quote; there is no escape.
_OPAQUE = r"[\x21\x23-\x7e\x80-\xff]*+"
_TAG = re.compile(rf'(W/)?"({_OPAQUE})"')
_TAGS = 100  # count; a cache names the variants it holds, a handful. More are not read: each takes 1.5 us
_SEPARATOR = re.compile(r"[ \t]*+(?:,[ \t]*+)*+")  # RFC 9110 §5.6.1.2: empty elements are passed over


class Outcome(Enum):
    """What the conditions of a request make of it. The value is the status to answer with, 0 for none."""

    PROCEED = 0
    NOT_MODIFIED = 304
    FAILED = 412


class ETag:
    """An entity-tag (RFC 9110 §8.8.3): an opaque name for one state of a representation.

    >>> str(ETag("5f-1a")), str(ETag("5f-1a", weak=True))
    ('"5f-1a"', 'W/"5f-1a"')
    """

    __slots__ = ("opaque", "weak")

    opaque: str
    weak: bool

    def __init__(self, opaque: str, *, weak: bool = False) -> None:
        if re.fullmatch(_OPAQUE, opaque) is None:
            allowed = "visible latin-1 characters without spaces and double quotes"
            raise LocalProtocolError(detail=f"entity-tag {opaque[:60]!r}: expected {allowed}")
        self.opaque = opaque
        self.weak = weak

    @classmethod
    def parse(cls, text: str) -> ETag | None:
        """Return the entity-tag a field value is, or None when it is none. `W/` is in upper case only."""
        match = _TAG.fullmatch(text)
        return cls(match[2], weak=match[1] is not None) if match is not None else None

    def matches_strongly(self, other: ETag) -> bool:
        """Compare octet for octet: the same tag, and neither is weak (RFC 9110 §8.8.3.2)."""
        return self.opaque == other.opaque and not self.weak and not other.weak

    def matches_weakly(self, other: ETag) -> bool:
        """Compare by meaning: the same tag, weak or not (RFC 9110 §8.8.3.2)."""
        return self.opaque == other.opaque

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ETag):
            return NotImplemented
        return self.opaque == other.opaque and self.weak == other.weak

    def __hash__(self) -> int:
        return hash((self.opaque, self.weak))

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.weak else f'"{self.opaque}"'

    def __repr__(self) -> str:
        return f"ETag({self.opaque!r}, weak={self.weak})"


def parse_etags(value: str) -> tuple[list[ETag], bool]:
    """Return the entity-tags of a list, and whether that was all; reading ends at a fault, and after 100.

    Empty elements are passed over; a tag may hold commas. `*` is no entity-tag.

    >>> parse_etags('"a,b" ,, W/"c"')
    ([ETag('a,b', weak=False), ETag('c', weak=True)], True)
    >>> parse_etags('"a", b, "c"')
    ([ETag('a', weak=False)], False)
    """
    tags: list[ETag] = []
    at = _end_of_separator(value, 0)
    while at < len(value):
        match = _TAG.match(value, at)
        if match is None or len(tags) == _TAGS:
            return tags, False
        tags.append(ETag(match[2], weak=match[1] is not None))
        at = _end_of_separator(value, match.end())
        if at < len(value) and "," not in value[match.end() : at]:  # two tags with no comma between them
            return tags, False
    return tags, bool(tags)


def evaluate(
    method: str,
    headers: Headers | MutableHeaders,
    *,
    etag: ETag | None,
    last_modified: float | None,
    exists: bool = True,
) -> Outcome:
    """Evaluate the conditions of a request against its target, in the order of RFC 9110 §13.2.2.

    `etag` and `last_modified` (seconds since the epoch) are those a 200 would carry, None where there is
    none; `exists` is False for a target without representation, such as a PUT is about to make.

    >>> from penstock.http.headers import Headers
    >>> asked = Headers.from_pairs([("If-None-Match", '"v1", W/"v2"')])
    >>> evaluate("GET", asked, etag=ETag("v2"), last_modified=None)
    <Outcome.NOT_MODIFIED: 304>
    >>> evaluate("PUT", asked, etag=ETag("v3"), last_modified=None)
    <Outcome.PROCEED: 0>
    """
    if method in ("CONNECT", "OPTIONS", "TRACE"):  # RFC 9110 §13.2.1: they select no representation
        return Outcome.PROCEED
    if not exists:
        etag = last_modified = None
    reads = method in ("GET", "HEAD")

    if_match = headers.get("if-match")
    if if_match is not None:  # step 1
        if not _lists(if_match, etag, exists=exists, strong=True):
            return Outcome.FAILED
    elif last_modified is not None:  # step 2
        date = _date(headers, "if-unmodified-since")
        if date is not None and last_modified // 1 > date:
            return Outcome.FAILED

    if_none_match = headers.get("if-none-match")
    if if_none_match is not None:  # step 3
        if _lists(if_none_match, etag, exists=exists, strong=False, unreadable=not reads):
            return Outcome.NOT_MODIFIED if reads else Outcome.FAILED
    elif last_modified is not None and reads:  # step 4
        date = _date(headers, "if-modified-since")
        if date is not None and last_modified // 1 <= date:
            return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def range_applies(headers: Headers | MutableHeaders, etag: ETag | None, last_modified: float | None) -> bool:
    """Say whether If-Range, if there is one, lets Range be honoured (RFC 9110 §13.1.5, step 5 of §13.2.2).

    False means: send the whole content. A tag must match strongly. A date must be Last-Modified to the
    second, not merely later, and is believed: whoever changes a file twice in a second sends entity-tags.

    >>> from penstock.http.headers import Headers
    >>> range_applies(Headers.from_pairs([("If-Range", 'W/"v1"')]), ETag("v1"), None)
    False
    """
    value = headers.get("if-range")
    if value is None:
        return True
    tag = ETag.parse(value)
    if tag is not None:
        return etag is not None and tag.matches_strongly(etag)
    date = parse_date(value)
    return date is not None and last_modified is not None and last_modified // 1 == date


def _lists(value: str, etag: ETag | None, *, exists: bool, strong: bool, unreadable: bool = False) -> bool:
    """Say whether `*` or a list of tags names the representation; `unreadable` answers for a broken list."""
    if value == "*":
        return exists
    # PERF: a client mostly sends back the one tag it has; the whole evaluation takes 1.0 us, not 2.8
    if etag is not None and value == str(etag):
        return not (strong and etag.weak)
    tags, whole = parse_etags(value)
    if etag is not None:
        match = etag.matches_strongly if strong else etag.matches_weakly
        if any(map(match, tags)):
            return True
    return unreadable and exists and not whole


def _date(headers: Headers | MutableHeaders, name: str) -> float | None:
    # Two lines of one name are combined with a comma, which makes no date: ignored (RFC 9110 §13.1.3).
    value = headers.get(name)
    return parse_date(value) if value is not None else None


def _end_of_separator(value: str, at: int) -> int:
    match = _SEPARATOR.match(value, at)
    return match.end() if match is not None else at
