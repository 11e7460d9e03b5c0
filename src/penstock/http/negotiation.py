"""Proactive negotiation (RFC 9110 §12): which of what we offer a client likes best.

One function a field: `choose_encoding` (Accept-Encoding), `choose_media_type` (Accept), `choose_language`
(Accept-Language). Each takes the combined field value, None when there is no such field, and what the server
offers, the best first: that order decides between what the client likes equally. The answer is one of the
offers as it was written, or None when the client takes none of them.

Elements that break the grammar are passed over, those with a broken weight too: `q=1.5`, `q=.5`, `q=+1`. The
first of several elements for one thing counts, and no more than 64 are read. Absent on purpose:
Accept-Charset, which RFC 9110 §12.5.2 deprecates, and Vary, which is the caller's to set.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ELEMENTS = 64  # count; browsers send up to a dozen
_TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3}+)?+|1(?:\.0{0,3}+)?+")  # RFC 9110 §12.4.2
_WEIGHT = rf"[ \t]*+;[ \t]*+[Qq]=({_QVALUE.pattern})"
_CODING = re.compile(rf"({_TCHARS})(?:{_WEIGHT})?+")
_LANGUAGE = re.compile(rf"([A-Za-z]{{1,8}}(?:-[A-Za-z0-9]{{1,8}})*+|\*)(?:{_WEIGHT})?+")  # RFC 4647 §2.1
_PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+(?:({_TCHARS})=({_TCHARS}|{_QUOTED}))?")  # RFC 9110 §5.6.6
_TYPE = re.compile(rf"({_TCHARS})/({_TCHARS})")
# A comma inside a quoted string separates nothing; an open quote reaches to the end.
_ELEMENT = re.compile(r'(?:[^,"]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++', re.DOTALL)

_PAIR = re.compile(r"\\(.)", re.DOTALL)

_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}  # RFC 9110 §8.4.1
_CACHED_LENGTH = 128  # browsers send 23 to 31 characters


def choose_encoding(value: str | None, offered: tuple[str, ...]) -> str | None:
    """Return the content coding to apply, "identity" for none, or None when even that is refused.

    `offered` are codings in lower case. Identity need not be among them; unless the client weighs it, it
    comes after all that is offered. Without the field, or with an empty one, the answer is identity.

    >>> choose_encoding("gzip, deflate, br;q=0.9", ("br", "gzip"))
    'gzip'
    >>> choose_encoding("*", ("br", "gzip")), choose_encoding("br;q=0, *", ("br", "gzip"))
    ('br', 'gzip')
    >>> choose_encoding("gzip;q=0", ("gzip",)), choose_encoding("identity;q=0", ("br",))
    ('identity', None)
    """
    if not value:
        return "identity"
    if len(value) > _CACHED_LENGTH:
        return _choose_encoding(value, offered)
    return _cached_encoding(value, offered)


def _choose_encoding(value: str, offered: tuple[str, ...]) -> str | None:
    weights: dict[str, float] = {}
    for element in _elements(value):
        match = _CODING.fullmatch(element)
        if match is not None:
            coding = match[1].lower()
            weights.setdefault(_ALIASES.get(coding, coding), _weight(match[2]))
    rest = weights.get("*", 0.0)
    best = _first_of_the_heaviest([weights.get(coding, rest) for coding in offered])
    identity = weights.get("identity")
    if best is not None:
        at, weight = best
        return "identity" if identity is not None and identity > weight else offered[at]
    if identity is None:  # RFC 9110 §12.5.3 rule 2: acceptable unless excluded by name or by `*;q=0`
        identity = weights.get("*", 1.0)
    return "identity" if identity else None


# PERF: 0.15 us instead of 4; browsers send the same few values. The length bounds what is kept.
_cached_encoding = lru_cache(256)(_choose_encoding)


def choose_media_type(value: str | None, offered: Sequence[str]) -> str | None:
    """Return the media type of `offered` to answer with, or None when the client accepts none of them.

    The most specific range that matches an offer weighs it (RFC 9110 §12.5.1). A field without one sound
    element is as good as none: any type will do.

    >>> choose_media_type("text/html, application/json;q=0.9, */*;q=0.1", ["application/json", "text/html"])
    'text/html'
    >>> choose_media_type("text/*, text/csv;q=0", ["text/csv", "text/plain"])
    'text/plain'
    """
    read = (_media_range(element) for element in _elements(value or ""))
    ranges = [found for found in read if found is not None]
    if not ranges:
        return offered[0] if offered else None
    best = _first_of_the_heaviest([_media_type_weight(offer, ranges) for offer in offered])
    return None if best is None else offered[best[0]]


def find_parameter(value: str | None, name: str) -> list[str]:
    """Return what the media ranges of an Accept field say for a parameter, the heaviest first.

    >>> find_parameter("text/html, application/json;version=1;q=0.5, application/json;version=2", "version")
    ['2', '1']
    """
    read = (_media_range(element) for element in _elements(value or ""))
    ranges = [found for found in read if found is not None and found.weight > 0.0]
    ranges.sort(key=lambda found: -found.weight)
    return [text for found in ranges for key, text in found.parameters if key == name.lower()]


def choose_language(value: str | None, offered: Sequence[str]) -> str | None:
    """Return the language tag of `offered` to answer with, or None when the client asks for none of them.

    A range matches a tag it is the start of (RFC 4647 §3.3.1); a range more special than any tag falls
    back to the one that is its start (§3.4), so that `de-CH` gets `de`.

    >>> choose_language("de-CH, en;q=0.8", ["en", "de"]), choose_language("en", ["de", "en-GB"])
    ('de', 'en-GB')
    """
    weights: dict[str, float] = {}
    for element in _elements(value or ""):
        match = _LANGUAGE.fullmatch(element)
        if match is not None:
            weights.setdefault(match[1].lower(), _weight(match[2]))
    if not weights:
        return offered[0] if offered else None
    best = _first_of_the_heaviest([_language_weight(tag.lower(), weights) for tag in offered])
    return None if best is None else offered[best[0]]


class _MediaRange(NamedTuple):
    type: str
    subtype: str
    parameters: frozenset[tuple[str, str]]
    weight: float


def _media_range(element: str) -> _MediaRange | None:
    """Return the range an element of Accept is, or None when it breaks the grammar."""
    match = _TYPE.match(element)
    if match is None:
        return None
    type_, subtype = match[1].lower(), match[2].lower()
    if type_ == "*" != subtype:
        return None
    parameters = set()
    weight = 1.0
    at = match.end()
    while at < len(element):
        match = _PARAMETER.match(element, at)
        if match is None:
            return None
        at = match.end()
        if match[1] is None:  # RFC 9110 §5.6.6: a parameter may be empty
            continue
        name, text = match[1].lower(), match[2]
        if name == "q":  # the last; what older specifications allowed after it has no meaning any more
            if _QVALUE.fullmatch(text) is None:
                return None
            weight = _weight(text)
            break
        if text.startswith('"'):
            text = _PAIR.sub(r"\1", text[1:-1])
        parameters.add((name, text.lower() if name == "charset" else text))
    return _MediaRange(type_, subtype, frozenset(parameters), weight)


def _media_type_weight(offer: str, ranges: list[_MediaRange]) -> float:
    described = _media_range(offer)
    if described is None:
        raise ValueError(f"{offer!r} is not a media type such as text/html")
    type_, subtype, parameters, _ = described
    specificity, weight = -1, 0.0
    for found in ranges:
        if found.type not in ("*", type_) or found.subtype not in ("*", subtype):
            continue
        if not found.parameters <= parameters:
            continue
        own = (found.type != "*") + (found.subtype != "*") + len(found.parameters)
        if own > specificity:
            specificity, weight = own, found.weight
    return weight


def _language_weight(tag: str, weights: dict[str, float]) -> float:
    if tag in weights:
        return weights[tag]
    start = tag
    while start and start not in weights:
        start = start.rpartition("-")[0]
    special = (weight for asked, weight in weights.items() if asked.startswith(tag + "-"))
    return max([weights.get(start or "*", 0.0), *special])


def _elements(value: str) -> Iterator[str]:
    """Yield the first elements of a comma-separated list (RFC 9110 §5.6.1), without the spaces round them."""
    for match in islice(_ELEMENT.finditer(value), _ELEMENTS):
        yield match[0].strip(" \t")


def _weight(qvalue: str | None) -> float:
    return 1.0 if qvalue is None else float(qvalue)  # matched: digits and a point, nothing else


def _first_of_the_heaviest(weights: list[float]) -> tuple[int, float] | None:
    """Return index and weight of the first with the greatest weight; None when all are refused."""
    weight = max(weights, default=0.0)
    return (weights.index(weight), weight) if weight > 0.0 else None
