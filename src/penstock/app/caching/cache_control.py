"""Cache-Control (RFC 9111 §5.2), of requests and of responses.

What cannot be read is taken for what caches less: a broken `max-age` for 0. Of a directive given twice the
smaller number counts. Unknown directives are passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.http.headers import Headers, MutableHeaders

_DIRECTIVE = re.compile(
    r'[ \t,]*+([!#$%&\'*+\-.^_`|~0-9A-Za-z]++)(?:=(?:"((?:[^"\\]|\\.)*+)"|([^\s,;"]*+)))?+'
)
_MOST: Final = 2**31  # RFC 9111 §1.2.2

NONE: Final[Mapping[str, int | None]] = {}


def read_cache_control(fields: Headers | MutableHeaders) -> Mapping[str, int | None]:
    """Return the directives, in lower case; those that take seconds with them, the others with None.

    >>> from penstock.http.headers import MutableHeaders
    >>> read_cache_control(MutableHeaders({"Cache-Control": "Max-Age=60, private, s-maxage=x"}))
    {'max-age': 60, 'private': None, 's-maxage': 0}
    """
    lines = fields.get_all("cache-control")
    if not lines:
        return NONE
    found: dict[str, int | None] = {}
    for line in lines:
        at = 0
        while at < len(line):
            match = _DIRECTIVE.match(line, at)
            if match is None:  # up to the next comma nothing can be said
                at = line.find(",", at) + 1 or len(line)
                continue
            at = match.end()
            name, quoted, plain = match[1].lower(), match[2], match[3]
            value = _seconds(name, quoted if quoted is not None else plain)
            known = found.get(name)
            found[name] = value if known is None or value is None else min(known, value)
    return found


_TAKE_SECONDS: Final = frozenset(
    {"max-age", "s-maxage", "max-stale", "min-fresh", "stale-while-revalidate", "stale-if-error"}
)


def _seconds(name: str, text: str | None) -> int | None:
    if name not in _TAKE_SECONDS or (text is None and name == "max-stale"):  # any staleness will do
        return None
    if text and text.isascii() and text.isdigit():
        return min(int(text[:11]), _MOST)
    return 0
