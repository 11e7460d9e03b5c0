"""What a handler returns, as a response.

str is text, bytes are octets, None is nothing (204), a Response is itself, an iterator is streamed,
everything else is JSON. A tuple is a JSON array like a list: there is no `(content, status)` convention, a
Response says such things by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.http.events import MEDIA_TYPE as EVENTS
from penstock.http.json import dumps
from penstock.http.response import JSON, OCTETS, TEXT, Response, StreamResponse

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = "application/jsonl"


def to_response(result: Any, status: int | None = None, stream_type: str = OCTETS) -> Response:
    """Return the response a plain value means; `status` None means 200, or 204 for None. TypeError when it
    cannot be JSON.

    >>> to_response({"a": 1}).body, to_response(None).status, to_response("hi", 201).media_type
    (b'{"a":1}', 204, 'text/plain; charset=utf-8')
    """
    make = _MAKERS.get(type(result))
    if make is not None:
        return make(result, status)
    if isinstance(result, Response):
        return result
    if isinstance(result, str):
        return _text(result, status)
    if isinstance(result, (bytes, bytearray, memoryview)):
        return _octets(result, status)
    if hasattr(result, "__anext__") or hasattr(result, "__next__"):
        if stream_type == EVENTS:
            from penstock.http.event_stream import EventStream

            return EventStream(result, status=status or 200)
        if stream_type == LINES:
            from penstock.http.json_lines import JSONLines

            return JSONLines(result, status or 200)
        return StreamResponse(result, status or 200, None, stream_type)
    return _json(result, status)


def _text(result: str, status: int | None) -> Response:
    return Response(result.encode(), status or 200, None, TEXT)


def _octets(result: bytes | bytearray | memoryview, status: int | None) -> Response:
    return Response(bytes(result), status or 200, None, OCTETS)


def _nothing(_result: None, status: int | None) -> Response:
    return Response(b"", status or 204)


def _json(result: object, status: int | None) -> Response:
    return Response(dumps(result), status or 200, None, JSON)


_MAKERS: dict[type, Callable[[Any, int | None], Response]] = {
    str: _text,
    bytes: _octets,
    type(None): _nothing,
    **dict.fromkeys((dict, list, tuple, int, float, bool), _json),
}
