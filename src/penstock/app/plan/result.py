"""The end of a plan: what the handler returned becomes a response."""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from typing import TYPE_CHECKING, Any

from penstock.app.binding.signature import REQUIRED
from penstock.app.results import LINES, to_response
from penstock.app.routing.router import describe
from penstock.app.schema.annotations import Unsupported, split
from penstock.app.schema.foreign import is_flat_struct
from penstock.app.schema.output import checked_output, compile_output
from penstock.app.schema.reading import holds_model
from penstock.errors import ApplicationError
from penstock.http.event_stream import EventStream
from penstock.http.events import MEDIA_TYPE as EVENTS
from penstock.http.events import Event
from penstock.http.json import dumps, struct_encoder
from penstock.http.json_lines import JSONLines
from penstock.http.response import JSON, OCTETS, TEXT, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.binding.signature import Signature
    from penstock.app.failures import Failures
    from penstock.app.routing.router import Placed
    from penstock.http.request import Request

_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)


_PIECES = (bytes, bytearray, memoryview, Any, object)


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


class Promise(typing.NamedTuple):
    """What a route says it returns."""

    annotation: object
    show: Callable[[Any], Any] | None
    """Makes of a result what is sent of it; None when all of it is."""
    is_struct: bool = False
    """True for a `msgspec.Struct` that may be written as it is, by msgspec."""


def read_promise(placed: Placed, signature: Signature) -> Promise:
    """Return what `response_model=`, else the return annotation, promises; ApplicationError when the model
    cannot be read.
    """
    options, where = placed.route.options, describe(placed.route.handler)
    annotation = options.get("response_model", signature.returns)
    is_declared = "response_model" in options
    validates = options.get("validate_response", placed.apps[-1].validate_responses if placed.apps else False)
    if annotation in (None, REQUIRED) or not (is_declared or validates or holds_model(annotation)):
        return Promise(signature.returns, None)
    try:
        if stream_type_of(annotation) == LINES:
            (item,) = typing.get_args(annotation)[:1]
            return Promise(annotation, _show_lines(_output(item, validates=validates), placed.route.status))
        if typing.get_origin(annotation) in _STREAMS:  # of octets, text or events
            return Promise(annotation, None)
        is_struct = not validates and is_flat_struct(annotation)
        return Promise(annotation, _output(annotation, validates=validates), is_struct)
    except Unsupported as error:
        if is_declared or options.get("validate_response"):
            raise ApplicationError(f"{where}: its response model: {error}") from None
        return Promise(annotation, None)  # what serves people and type checkers only


def _output(annotation: object, *, validates: bool) -> Callable[[Any], Any] | None:
    show = compile_output(annotation)
    return checked_output(annotation, show) if validates else show


def _show_lines(show: Callable[[Any], Any] | None, status: int | None) -> Callable[[Any], Any]:
    """Return what shows each of several values: of an iterator as they come, else at once."""

    def show_all(result: Any) -> Any:
        if hasattr(result, "__anext__") or hasattr(result, "__next__"):
            return JSONLines(result, status or 200, show=show)
        return result if show is None else [show(one) for one in result]

    return show_all


def known_result_lines(promise: Promise, status: int | None, scope: dict[str, Any]) -> list[str]:
    """Convert what the annotation promises at once; another type goes the general way, so a wrong promise
    costs only time.
    """
    returns = promise.annotation
    kind = typing.get_origin(returns) or returns
    if not isinstance(kind, type):
        return []
    code = status or 200
    content = "dumps(result)"
    if promise.is_struct:
        content = "dumps_struct(result)"
        scope["dumps_struct"] = struct_encoder()
    elif promise.show is not None:
        content = "dumps(show(result))"
        scope["show"] = promise.show
    if kind is str:
        answer = f"Response(result.encode(), {code}, None, TEXT)"
    elif kind is bytes:
        answer = f"Response(result, {code}, None, OCTETS)"
    elif (
        kind in (dict, list, int, float, bool)
        or dataclasses.is_dataclass(kind)
        or hasattr(kind, "__struct_config__")
    ):
        answer = f"Response({content}, {code}, None, JSON)"
    elif issubclass(kind, Response):
        answer = "result"
    else:
        return []
    scope["returns"] = kind
    name = kind.__name__ if kind.__module__ == "builtins" else "returns"
    return [f"if type(result) is {name}:", f"    return {answer}"]


def shown_lines(promise: Promise, scope: dict[str, Any]) -> list[str]:
    """Leave of any other result what was promised; a Response is itself, and None no content."""
    if promise.show is None:
        return []
    scope["show"] = promise.show
    return ["if result is not None and not isinstance(result, Response):", "    result = show(result)"]


def make_responder(
    status: int | None, stream_type: str, show: Callable[[Any], Any] | None, failures: Failures
) -> Callable[[Request, Any], Any]:
    """Return what converts the result of a `def` handler, which may turn out to be a coroutine (a decorated
    `async def`).
    """

    def answer(result: Any) -> Response:
        if show is not None and result is not None and not isinstance(result, Response):
            result = show(result)
        return to_response(result, status, stream_type)

    async def finish(request: Request, result: Awaitable[Any]) -> Response:
        try:
            return answer(await result)
        except BaseException as error:
            return await failures.answer_async(request, error)

    def respond(request: Request, result: Any) -> Response | Awaitable[Response]:
        if hasattr(result, "__await__"):
            return finish(request, result)
        return answer(result)

    return respond


def stream_type_of(returns: object) -> str:
    """Return the media type of what a generator yields by its annotation: events, text, or lines of JSON for
    other values; octets when it does not say.
    """
    if isinstance(returns, type) and issubclass(returns, EventStream):
        return EVENTS
    yields = typing.get_args(returns)[:1]
    if typing.get_origin(returns) not in _STREAMS or not yields:
        return OCTETS
    kind = split(yields[0])[0]
    if kind is str:
        return TEXT
    if Event in (kind, *typing.get_args(kind)):
        return EVENTS
    return OCTETS if kind in _PIECES or bytes in typing.get_args(kind) else LINES
