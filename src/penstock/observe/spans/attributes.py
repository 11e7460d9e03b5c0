"""What a span says of its request: the stable semantic conventions of OpenTelemetry for HTTP servers.

Names are theirs. Values come from clients, so each has a bound; the path, the query, the user agent and what
an exception says are redacted. Fields and content are left out on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from penstock.http.request import Request

_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"}
)
_VALUE_CHARS = 1024
_PORTS = {"http": 80, "https": 443}


def method_of(request: Request) -> str:
    """Return what stands for the method in names: of those that are known, or HTTP."""
    return request.method if request.method in _METHODS else "HTTP"


def attributes_of(request: Request) -> dict[str, Any]:
    """Return what is known of a request when it begins."""
    method, scheme = request.method, request.scheme
    found: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "url.scheme": scheme,
        "url.path": redactor().path(request.raw_path[:_VALUE_CHARS]),
        "network.protocol.version": request.http_version,
    }
    if method not in _METHODS:
        found["http.request.method_original"] = method[:_VALUE_CHARS]
    if request.raw_query:
        found["url.query"] = redactor().query(request.raw_query[:_VALUE_CHARS])
    address, port = _split_host(request.host)
    if address:
        found["server.address"] = address[:_VALUE_CHARS]
        found["server.port"] = port or _PORTS.get(scheme, 80)
    if (client := request.client) is not None:
        found["client.address"] = client[0]
    if agent := request.headers.get("user-agent"):
        found["user_agent.original"] = redactor().text(agent[:_VALUE_CHARS])
    return found


def _split_host(host: str) -> tuple[str, int]:
    """Return name and port, 0 for none, of what the wire has checked."""
    name, colon, digits = host.rpartition(":")
    if not colon or not digits.isdigit() or not digits.isascii() or len(digits) > 5:
        return host.strip("[]"), 0
    return name.strip("[]"), int(digits)


def redacted(error: BaseException) -> dict[str, str]:
    """Return what stands for the message and the traceback of an exception."""
    import traceback

    text = redactor().text
    return {
        "exception.message": text(str(error))[:_VALUE_CHARS],
        "exception.stacktrace": text("".join(traceback.format_exception(error)))[: 32 * _VALUE_CHARS],
    }
