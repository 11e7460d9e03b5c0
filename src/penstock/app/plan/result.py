"""The end of a plan: what the handler returned becomes a response."""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from typing import TYPE_CHECKING, Any

from penstock.app.results import to_response
from penstock.http.event_stream import EventStream
from penstock.http.events import MEDIA_TYPE as EVENTS
from penstock.http.events import Event
from penstock.http.json import dumps
from penstock.http.response import JSON, OCTETS, TEXT, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.failures import Failures
    from penstock.http.request import Request

_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)


def result_scope(status: int | None, stream_type: str) -> dict[str, Any]:
    """Return the names that the end of a plan uses."""
    return {
        "status": status,
        "stream_type": stream_type,
        "to_response": to_response,
        "Response": Response,
        "dumps": dumps,
        "JSON": JSON,
        "TEXT": TEXT,
        "OCTETS": OCTETS,
    }


def known_result_lines(returns: object, status: int | None, scope: dict[str, Any]) -> list[str]:
    """Convert what the return annotation promises at once; another type goes the general way, so a wrong
    promise costs only time.
    """
    kind = typing.get_origin(returns) or returns
    if not isinstance(kind, type):
        return []
    code = status or 200
    if kind is str:
        answer = f"Response(result.encode(), {code}, None, TEXT)"
    elif kind is bytes:
        answer = f"Response(result, {code}, None, OCTETS)"
    elif kind in (dict, list, int, float, bool) or dataclasses.is_dataclass(kind):
        answer = f"Response(dumps(result), {code}, None, JSON)"
    elif issubclass(kind, Response):
        answer = "result"
    else:
        return []
    scope["returns"] = kind
    name = kind.__name__ if kind.__module__ == "builtins" else "returns"
    return [f"if type(result) is {name}:", f"    return {answer}"]


def make_responder(status: int | None, stream_type: str, failures: Failures) -> Callable[[Request, Any], Any]:
    """Return what converts the result of a `def` handler, which may turn out to be a coroutine (a decorated
    `async def`).
    """

    async def finish(request: Request, result: Awaitable[Any]) -> Response:
        try:
            return to_response(await result, status, stream_type)
        except BaseException as error:
            return await failures.answer_async(request, error)

    def respond(request: Request, result: Any) -> Response | Awaitable[Response]:
        if hasattr(result, "__await__"):
            return finish(request, result)
        return to_response(result, status, stream_type)

    return respond


def stream_type_of(returns: object) -> str:
    """Return the media type of what a generator yields: events or text when annotated to yield them, else
    octets.
    """
    if isinstance(returns, type) and issubclass(returns, EventStream):
        return EVENTS
    yields = typing.get_args(returns)[:1]
    if typing.get_origin(returns) not in _STREAMS or not yields:
        return OCTETS
    if yields == (str,):
        return TEXT
    return EVENTS if Event in (*yields, *typing.get_args(yields[0])) else OCTETS
