"""What is secret in one request, to be hidden wherever a failure page repeats it.

A password that a form brought as `password` may be in a variable called `given`, or in what an exception
says. Redaction knows it by its name where it came in, and from there by itself. Values that are short or
plain words are left out: they would be found everywhere. For development, where all of a request is shown.
"""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from penstock.http.json import loads
from penstock.http.redaction import REDACTED, redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.http.request import Request

_LEAST: Final = 6  # characters
_MOST_VALUES: Final = 100
_BODY_BYTES: Final = 65_536


def hide_for(request: Request) -> Callable[[str], str]:
    """Return what returns a text without the secrets of a request, and without others."""
    known: set[str] = set()
    with suppress(Exception):  # whatever the client sent: what is known so far is hidden
        for value in islice(_secrets_of(request), _MOST_VALUES):
            if len(value) >= _LEAST:
                known.add(value)
    text = redactor().text
    if not known:
        return text
    # The longest first, so that none leaves the rest of another behind.
    find = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))
    return lambda shown: find.sub(REDACTED, text(shown))


def query_of(request: Request) -> list[tuple[str, str]]:
    """Return the names and values of a query, whatever it is."""
    return parse_qsl(request.raw_query.decode("ascii", "backslashreplace"), keep_blank_values=True)


def _secrets_of(request: Request) -> Iterator[str]:
    is_secret = redactor().is_secret
    for name, value in request.headers.items():
        if name in ("authorization", "proxy-authorization"):
            yield from _credentials(value)
        elif name != "cookie" and is_secret(name):
            yield value
    # A cookie may be a preference, too: `theme=contrast` is no secret.
    yield from (value for value in request.cookies.values() if len(value) >= 16 or not value.isalpha())
    yield from (value for name, value in query_of(request) if is_secret(name))
    kind = request.headers.get("content-type", "")
    if "json" in kind and len(request.body) <= _BODY_BYTES:
        yield from _members(loads(request.body))
    elif "form" in kind and request.stream is None:
        yield from (value for name, value in request.form().items() if is_secret(name))


def _credentials(value: str) -> Iterator[str]:
    scheme, _, credentials = value.partition(" ")
    yield credentials.strip()
    if scheme.lower() == "basic":
        with suppress(ValueError):
            yield b64decode(credentials).decode("utf-8", "replace").partition(":")[2]


def _members(value: Any) -> Iterator[str]:
    """The values of secret names in a value of JSON."""
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        one, is_hidden = waiting.pop()
        if isinstance(one, dict):
            waiting += [(inner, is_hidden or redactor().is_secret(name)) for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(inner, is_hidden) for inner in one]
        elif is_hidden and isinstance(one, (str, int)):
            yield str(one)
