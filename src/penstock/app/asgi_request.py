"""The `Request` of an ASGI scope: the one the native server would have made of the same request.

Servers differ in what they let through, so target and fields are held to the grammar here as they are there.
Over HTTP/2 and HTTP/3 the server has made `:authority` a Host field, which is all that is left of the
difference; the version says which it was.
"""

from __future__ import annotations

import re
from typing import Any

from penstock.errors import RemoteProtocolError
from penstock.http.framing import Framing
from penstock.http.headers import Headers
from penstock.http.request import Request
from penstock.wire.grammar import FIELD_LINE, ORIGIN_FORM, parse_digits

_match_target = re.compile(ORIGIN_FORM).fullmatch
_match_section = re.compile(rb"(?:%b)*+" % FIELD_LINE).fullmatch
_VERSIONS = {"1.0": b"0", "1.1": b"1", "2": b"2", "3": b"3"}


def make_request(scope: dict[str, Any]) -> Request:
    """Return the request of an `http` scope. RemoteProtocolError for what the native server would refuse."""
    prefix = scope.get("root_path", "").rstrip("/")
    raw_path, query = _read_path(scope, prefix.encode()), scope.get("query_string", b"")
    target = b"%b?%b" % (raw_path, query) if query else raw_path
    if raw_path != b"*" and _match_target(target) is None:
        raise RemoteProtocolError(400, "the request target is malformed")
    lines = [b"%b: %b\r\n" % (name, value) for name, value in scope["headers"]]
    section = b"".join(lines)
    # One line each, and the first colon ends the name: nothing in a field makes another field of it.
    is_exact = section.count(b"\r\n") == len(lines) and not any(b":" in name for name, _ in scope["headers"])
    if not is_exact or _match_section(section) is None:
        raise RemoteProtocolError(400, "a field is malformed")
    headers, framing = Headers(section), _read_framing(scope)
    request = Request(scope["method"], raw_path, query, _read_version(scope), headers, framing)
    if prefix:
        request.prefix = prefix
    return request


def make_stand_in(scope: dict[str, Any]) -> Request:
    """Return a request to answer in the place of one that is refused."""
    return Request("GET", b"/", b"", _read_version(scope), Headers(), Framing())


def _read_version(scope: dict[str, Any]) -> bytes:
    return _VERSIONS.get(scope.get("http_version", "1.1"), b"1")


def _read_path(scope: dict[str, Any], prefix: bytes) -> bytes:
    """The path without the prefix, which servers leave in it, as the specification has it, or do not."""
    raw_path: bytes | None = scope.get("raw_path")
    if raw_path is None:
        from urllib.parse import quote

        raw_path = quote(scope["path"]).encode("ascii")
    raw_path = raw_path.partition(b"?")[0]
    if prefix and (raw_path == prefix or raw_path.startswith(prefix + b"/")):
        raw_path = raw_path[len(prefix) :] or b"/"
    return raw_path


def _read_framing(scope: dict[str, Any]) -> Framing:
    lengths = {value for name, value in scope["headers"] if name == b"content-length"}
    if len(lengths) > 1:
        raise RemoteProtocolError(400, "Content-Length twice, with different values")
    if lengths:
        return Framing(content_length=parse_digits(lengths.pop(), "Content-Length"))
    return Framing(chunked=any(name == b"transfer-encoding" for name, _ in scope["headers"]))
