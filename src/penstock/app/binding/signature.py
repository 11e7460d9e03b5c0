"""Reading a handler's signature: where each argument comes from, decided once, by name and annotation.

A parameter named in the path template comes from the path. `Request` (or an unannotated `request`),
`BodyStream` and a dataclass say it by their annotation; everything else is a query parameter. What cannot be
bound is an ApplicationError that names handler and parameter and says what to write instead.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from types import NoneType, SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from penstock.app.binding.body import Model
from penstock.app.binding.conversion import Conversion, Unsupported, name_of, peel
from penstock.app.binding.notations import TEXT
from penstock.app.routing.router import describe, inner_function
from penstock.app.websocket.socket import WebSocket
from penstock.errors import ApplicationError
from penstock.http.handler import BodyStream
from penstock.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.routing.template import Parameter, Template

Source = Literal["path", "query", "body", "request", "stream", "websocket"]
REQUIRED: Final = inspect.Parameter.empty
"""Stands for "no default"."""

_CAN_BE = (
    "str, int, float, bool, UUID, datetime, date, time, an Enum, a Literal, one of those or None, "
    "list[...] of those from the "
    "query, a dataclass for the JSON body, Request or BodyStream"
)


class Argument(NamedTuple):
    """One parameter of a handler and where its value comes from."""

    name: str
    source: Source
    default: Any = REQUIRED
    is_keyword: bool = False
    """True when it can be passed by name only."""
    conversion: Conversion | None = None
    """From text, for path and query; None means the value is right as the template's converter made it."""
    model: Model | None = None

    @property
    def repeats(self) -> bool:
        """True when every value of the name is wanted, as a list."""
        return self.source == "query" and self.conversion is not None and self.conversion.item is not None


class Signature(NamedTuple):
    """What a handler takes, and what it says it returns."""

    arguments: tuple[Argument, ...]
    returns: object
    """The return annotation; `inspect.Parameter.empty` when absent or not resolvable."""

    def first(self, source: Source) -> Argument | None:
        return next((argument for argument in self.arguments if argument.source == source), None)


def read_signature(handler: Callable[..., Any], template: Template) -> Signature:
    """Decide where every argument of a handler comes from, or raise ApplicationError."""
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError) as error:
        raise ApplicationError(f"{describe(handler)}: its signature cannot be read ({error})") from None
    in_path = {parameter.name: parameter for parameter in template.parameters}
    arguments = tuple(_argument(handler, one, in_path) for one in signature.parameters.values())
    for source in ("body", "stream"):
        several = [argument.name for argument in arguments if argument.source == source]
        if len(several) > 1:
            raise ApplicationError(
                f"{describe(handler)}: {' and '.join(several)} both want the whole body; keep one"
            )
    result = Signature(arguments, _returns(handler, signature.return_annotation))
    body, stream = result.first("body"), result.first("stream")
    if body is not None and stream is not None:
        raise ApplicationError(
            f"{describe(handler)}: {stream.name} streams the body that {body.name} needs whole; keep one"
        )
    return result


def _argument(
    handler: Callable[..., Any], parameter: inspect.Parameter, in_path: dict[str, Parameter]
) -> Argument:
    name, where = parameter.name, f"{describe(handler)}: parameter {parameter.name!r}"
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise ApplicationError(
            f"{where} takes any number of arguments; name each one (a decorator needs functools.wraps)"
        )
    is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    annotation = peel(_resolved(handler, parameter.annotation, where))
    if annotation is Request or (annotation is REQUIRED and name == "request" and name not in in_path):
        return Argument(name, "request", is_keyword=is_keyword)
    if annotation is BodyStream:
        return Argument(name, "stream", is_keyword=is_keyword)
    if annotation is WebSocket or (annotation is REQUIRED and name == "websocket" and name not in in_path):
        return Argument(name, "websocket", is_keyword=is_keyword)
    try:
        if name in in_path:
            conversion = _path_conversion(in_path[name], annotation)
            return Argument(name, "path", is_keyword=is_keyword, conversion=conversion)
        model = _model(annotation)
        if model is not None:
            return Argument(name, "body", _default(parameter, annotation), is_keyword, model=model)
        conversion = TEXT.conversion(annotation)
    except Unsupported as error:
        raise ApplicationError(f"{where}: {error}; it can be {_CAN_BE}") from None
    default = _default(parameter, annotation)
    if default is REQUIRED and conversion.item is not None:
        default = []  # no occurrence at all is how a query spells the empty list
    return Argument(name, "query", default, is_keyword, conversion)


def _path_conversion(parameter: Parameter, annotation: object) -> Conversion | None:
    """Return what is left to convert after the template's converter; None for nothing."""
    made = parameter.converter.python_type
    if annotation in (REQUIRED, Any, object) or made is None:
        return None
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    wanted = [peel(one) for one in members if one is not NoneType]
    if wanted == [made] or (made is not str and (made in wanted or (made is int and float in wanted))):
        return None
    if made is not str:
        raise Unsupported(
            f"{{{parameter.name}:{parameter.kind}}} in the path makes {made.__name__}, the annotation says "
            f"{name_of(annotation)}; write {{{parameter.name}}} or the annotation {made.__name__}"
        )
    conversion = TEXT.conversion(annotation)
    if conversion.item is not None:
        raise Unsupported(f"a path parameter is one value, {name_of(annotation)} is several")
    return conversion


def _model(annotation: object) -> Model | None:
    members = (
        [one for one in typing.get_args(annotation) if one is not NoneType] if _is_union(annotation) else []
    )
    candidate = peel(members[0]) if len(members) == 1 else annotation
    if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
        return Model(candidate)
    return None


def _default(parameter: inspect.Parameter, annotation: object) -> Any:
    """Return the default; None when there is none but None is a value, since leaving it out is the only way
    to say it.
    """
    if parameter.default is REQUIRED and _is_union(annotation) and NoneType in typing.get_args(annotation):
        return None
    return parameter.default


def _is_union(annotation: object) -> bool:
    return typing.get_origin(annotation) in (typing.Union, UnionType)


def _returns(handler: Callable[..., Any], annotation: object) -> object:
    try:
        return peel(_resolved(handler, annotation, "return"))
    except ApplicationError:
        return REQUIRED  # it only serves speed, and is often imported under TYPE_CHECKING


def _resolved(handler: Callable[..., Any], annotation: object, where: str) -> object:
    """Evaluate an annotation given as text, or holding text inside, in the module of the handler."""
    if annotation is REQUIRED or annotation is None:
        return annotation
    scope = getattr(inner_function(handler), "__globals__", {})
    holder = SimpleNamespace(__annotations__={"it": annotation})
    # Our own names, often imported under TYPE_CHECKING only, are known all the same; locals win, so they come
    # second.
    names = {"Request": Request, "BodyStream": BodyStream, "WebSocket": WebSocket}
    attempts: tuple[dict[str, Any], ...] = ({}, names)
    fault: Exception | None = None
    for attempt in attempts:
        try:
            return typing.get_type_hints(holder, scope, attempt, include_extras=True)["it"]
        except NameError as error:
            fault = error
        except Exception as error:  # whatever evaluating an expression of the user's raises
            fault = error
            break
    raise ApplicationError(
        f"{where}: the annotation {annotation!r} cannot be resolved ({fault}); import what it names at run "
        "time, not under "
        "TYPE_CHECKING, and define it at module level"
    )
