"""What an operation answers: by its return annotation, by what its author says (`responses=`), and the
failures its plan can end in.

Every error is a problem (RFC 9457), unless the application answers it by a handler of its own.
"""

from __future__ import annotations

import collections.abc
import typing
from types import NoneType
from typing import TYPE_CHECKING, Any

from penstock.app.binding.signature import REQUIRED
from penstock.app.plan.result import stream_type_of
from penstock.app.results import LINES
from penstock.app.routing.converters import PATH, STR
from penstock.app.schema.annotations import is_union, split
from penstock.errors import ApplicationError, HTTPError, ValidationError
from penstock.http.event_stream import EventStream
from penstock.http.events import MEDIA_TYPE as EVENTS
from penstock.http.file_response import FileResponse
from penstock.http.problem import PROBLEM
from penstock.http.response import (
    HTML,
    JSON,
    OCTETS,
    TEXT,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamResponse,
    TextResponse,
)
from penstock.http.status import reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.app.binding.signature import Argument
    from penstock.app.openapi.components import Schema
    from penstock.app.openapi.schemas import Schemas
    from penstock.app.routing.router import Placed
    from penstock.app.routing.template import Template

    Content = dict[str, Schema]

# Not Iterable: a list is one, and JSON.
_BODIES = ("body", "form", "file", "parts", "stream")
_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)
# By class: the media type of what a response of it holds; None says nothing.
_MEDIA_TYPES: tuple[tuple[type[Response], str | None], ...] = (
    (HTMLResponse, HTML),
    (TextResponse, TEXT),
    (JSONResponse, JSON),
    (EventStream, EVENTS),
    (FileResponse, OCTETS),
    (StreamResponse, OCTETS),
)
_PROBLEM: Schema = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
        "title": {"type": "string", "description": "the kind of problem, the same every time"},
        "status": {"type": "integer", "description": "the status of the response"},
        "detail": {"type": "string", "description": "what is wrong this time"},
        "instance": {"type": "string", "format": "uri-reference"},
        "trace_id": {"type": "string", "description": "to be told to whoever runs the server"},
    },
}
_FAULTS: Schema = {
    "description": "Every value of the request that does not fit.",
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {
                        "description": "where: path, query, header, cookie or body, then names and places",
                        "type": "array",
                        "items": {"type": ["string", "integer"]},
                    },
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        }
    },
    "required": ["errors"],
}


def responses_of(
    placed: Placed, returns: object, errors: Iterable[int], schemas: Schemas, method: str
) -> Schema:
    """Return the Responses Object of an operation."""
    route = placed.route
    said = _refusals_of_hooks(placed, method)
    for router in placed.routers:
        said |= _by_code(router.responses, placed)
    said |= _by_code(route.options.get("responses", {}), placed)
    found: dict[str, Schema] = {}
    promised = _success(returns, route.status, schemas)
    if promised.keys() == {"200"} and "200" not in said and _is_bare(promised) and _successes(said):
        promised = {}  # a Response whose status its author tells
    for code, content in promised.items():
        found[code] = _response(code, content)
    for status in sorted(set(errors)):
        found[str(status)] = _response(str(status), _problem_content(placed, status, schemas))
    for code, one in said.items():
        found[code] = _said(placed, code, one, found.get(code), schemas)
    return {code: found[code] for code in sorted(found)}


def problem_schema(schemas: Schemas, status: int) -> Schema:
    """Return the schema of the answer to a failure."""
    components = schemas.components
    problem = components.ref("problem", "Problem", "penstock", lambda: _PROBLEM)
    if status != 422:
        return problem

    def make() -> Schema:
        return {"title": "ValidationProblem", "allOf": [problem, _FAULTS]}

    return components.ref("faults", "ValidationProblem", "penstock", make)


# -- what the annotation promises


def _success(returns: object, status: int | None, schemas: Schemas) -> dict[str, Content]:
    """Return the content by status; a type that says nothing makes a response without content."""
    found: dict[str, Content] = {}
    plain: list[object] = []
    inner = split(returns)[0]
    for member in typing.get_args(inner) if is_union(inner) else (returns,):
        kind = split(member)[0]
        if kind in (None, NoneType):
            found.setdefault(str(status or 204), {})
        elif kind in (REQUIRED, Any, object, typing.NoReturn, typing.Never):
            found.setdefault(str(status or 200), {})
        elif isinstance(kind, type) and issubclass(kind, Response):
            code = status or (307 if issubclass(kind, RedirectResponse) else 200)
            content = found.setdefault(str(code), {})
            media_type = next((one for base, one in _MEDIA_TYPES if issubclass(kind, base)), None)
            if media_type is not None:
                content[_essence(media_type)] = _plain_schema(media_type)
        elif _is_raw(kind) or typing.get_origin(kind) in _STREAMS:
            media_type = (
                stream_type_of(kind) if not _is_raw(kind) else TEXT if issubclass(kind, str) else OCTETS
            )
            described = _plain_schema(media_type)
            if media_type == LINES:  # 3.1 has no word for "one of these a line"
                described = {"schema": schemas.of_annotation(typing.get_args(kind)[0])}
            found.setdefault(str(status or 200), {})[_essence(media_type)] = described
        else:
            plain.append(member)
    if plain:
        whole: Any = plain[0] if len(plain) == 1 else typing.Union[tuple(plain)]  # noqa: UP007 - made of a list
        schema = schemas.of_annotation(whole)
        found.setdefault(str(status or 200), {})[JSON] = {"schema": schema} if schema else {}
    return found


def _is_raw(kind: Any) -> bool:
    """Tell whether a type is text or octets, and not JSON."""
    return isinstance(kind, type) and issubclass(kind, (str, bytes, bytearray, memoryview))


def _plain_schema(media_type: str) -> Schema:
    return {"schema": {"type": "string"}} if media_type in (TEXT, HTML, EVENTS) else {}


def _is_bare(promised: Mapping[str, Content]) -> bool:
    return not any(promised.values())


def _successes(said: Iterable[str]) -> bool:
    return any(code[:1] in "123" for code in said)


# -- what the author says


def _refusals_of_hooks(placed: Placed, method: str) -> dict[str, Any]:
    """Return what the hooks round a route answer by themselves: those that have `refusals(method)` say it."""
    hooks = [hook for router in placed.routers for hook in router.hooks]
    found: dict[str, Any] = {}
    for hook in (*hooks, *placed.route.options.get("hooks", ())):
        refusals = getattr(hook, "refusals", None)
        if callable(refusals):
            found |= _by_code(refusals(method), placed)
    return found


def _by_code(said: Mapping[Any, Any], placed: Placed) -> dict[str, Any]:
    codes = {str(code): one for code, one in said.items()}
    for code in codes:
        is_status = len(code) == 3 and code[0] in "12345" and (code[1:] == "XX" or code.isdigit())
        if not is_status and code != "default":
            raise ApplicationError(
                f"{placed.label}: responses={{{code!r}: ...}}; expected a status, '4XX' or 'default'"
            )
    return codes


def _said(placed: Placed, code: str, one: Any, known: Schema | None, schemas: Schemas) -> Schema:
    """Return a response from what its author wrote: a text, a type, or a Response Object whose "model" is a
    type.
    """
    if isinstance(one, str):
        base = known or _response(code, _default_content(placed, code, schemas))
        return {**base, "description": one}
    if isinstance(one, dict):
        given = {key: value for key, value in one.items() if key != "model"}
        base = known or _response(
            code, _default_content(placed, code, schemas) if "content" not in one else {}
        )
        if "model" in one:
            base = {**base, "content": {_media_type(code): {"schema": schemas.of_annotation(one["model"])}}}
        return {**base, **given}
    if one is None:
        return _response(code, {})
    if isinstance(one, type) and issubclass(one, Response):
        return _response(code, next(iter(_success(one, 200, schemas).values())))
    return _response(code, {_media_type(code): {"schema": schemas.of_annotation(one)}})


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0]


def _media_type(code: str) -> str:
    return PROBLEM if code[0] in "45" else JSON


def _default_content(placed: Placed, code: str, schemas: Schemas) -> Content:
    if code[0] in "123":
        return {}
    return _problem_content(placed, int(code) if code.isdigit() else 0, schemas)


def _problem_content(placed: Placed, status: int, schemas: Schemas) -> Content:
    """Return the content of an error; nothing is known of it when the application answers it by itself."""
    keys = {status, HTTPError, *([ValidationError] if status == 422 else ())}
    if any(key in router.exception_handlers for router in placed.routers for key in keys):
        return {}
    return {PROBLEM: {"schema": problem_schema(schemas, status)}}


def _response(code: str, content: Content) -> Schema:
    response: Schema = {"description": _phrase(code)}
    if content:
        response["content"] = content
    return response


def _phrase(code: str) -> str:
    if code.isdigit():
        return reason(int(code)) or "Response"
    return {"1": "Information", "2": "Success", "3": "Redirection", "4": "Error of the request"}.get(
        code[0], "Error"
    )


def possible_errors(arguments: Iterable[Argument], template: Template) -> list[int]:
    """Return the statuses a request ends in that does not fit a route."""
    found: set[int] = {400} if template.parameters else set()
    if any(part.converter not in (STR, PATH) for part in template.parameters):
        found.add(404)  # no route, then
    for argument in arguments:
        if argument.source == "query":
            found.add(400)
        if argument.source in _BODIES:
            found |= {400, 413} if argument.source == "stream" else {400, 413, 415}
        conversion = argument.conversion
        takes_any_text = conversion is not None and conversion.kind == "str" and not conversion.constraints
        is_required = argument.default is REQUIRED and argument.source in ("query", "header", "cookie")
        if (
            argument.model is not None
            or argument.form is not None
            or is_required
            or (conversion is not None and not takes_any_text)
        ):
            found.add(422)
    return sorted(found)
