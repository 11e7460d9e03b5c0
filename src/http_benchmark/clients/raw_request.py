"""A request as octets, made once for each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.clients.origin import Origin, take_apart
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.errors import UsageError
from penstock.errors import PenstockError
from penstock.http.headers import MutableHeaders

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call

_WITH_LENGTH: Final = {"POST", "PUT", "PATCH"}


class RawRequest(NamedTuple):
    """What goes over the wire, and where to."""

    origin: Origin
    octets: bytes
    is_head: bool
    keeps: bool
    """The content is wanted, or would be built by any other library."""


def render(call: Call) -> RawRequest:
    """Return the call as octets. UsageError where a field cannot be sent."""
    origin, target = take_apart(call.url)
    fields = make_fields(call, names_user=True)
    given = {name.lower() for name in fields}
    lines = {} if "host" in given else {"Host": origin.field}
    lines |= fields
    if (call.body or call.method in _WITH_LENGTH) and "content-length" not in given:
        lines["Content-Length"] = str(len(call.body))
    try:
        section = MutableHeaders(lines).rendered()
    except PenstockError as error:
        raise UsageError(f"the headers cannot be sent: {error}") from None
    head = f"{call.method} {target} HTTP/1.1\r\n".encode("ascii") + section + b"\r\n"
    keeps = call.keeps_content or not call.streams
    return RawRequest(origin, head + call.body, call.method == "HEAD", keeps)
