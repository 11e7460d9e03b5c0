"""Reading a handler's signature: where each argument comes from, decided once, by name and annotation.

A marker in its annotation says it: `Annotated[str, Header()]`. A parameter named in the path template
comes from the path. `Request` (or an unannotated `request`), `BodyStream` and models say it by their type;
A function makes what says `Depends(f)`.
Everything else is a query parameter. What cannot be bound is an ApplicationError that names handler and
parameter and says what to write instead.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import sys
import typing
from types import NoneType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from penstock.app.binding.body import Model, embedding_model
from penstock.app.binding.conversion import Conversion
from penstock.app.binding.notations import TEXT
from penstock.app.forms.parameters import FormParameter, form_parameter
from penstock.app.forms.stream import MultipartStream
from penstock.app.forms.text_members import file_kind
from penstock.app.injection.background import BackgroundTasks
from penstock.app.injection.depends import Declared, Depends
from penstock.app.routing.router import describe, inner_function
from penstock.app.schema.annotations import NoSuchType, Unsupported, is_union, name_of, peel, split
from penstock.app.schema.constraints import constraints_in, make_constraints
from penstock.app.schema.markers import Body, Cookie, Field, File, Form, Header, Path, Query
from penstock.app.schema.members import check_marked
from penstock.app.schema.reading import holds_model
from penstock.app.websocket.socket import WebSocket
from penstock.errors import ApplicationError
from penstock.http.handler import BodyStream
from penstock.http.request import Request
from penstock.http.response import Response
from penstock.http.upload import UploadFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.app.injection.tree import Dependency
    from penstock.app.routing.template import Parameter, Template

    # Makes a node of a `Depends(...)` and what its parameter is annotated with.
    ReadDependency = Callable[[Declared, object], Dependency]

Source = Literal[
    "path",
    "query",
    "header",
    "cookie",
    "body",
    "form",
    "file",
    "parts",
    "request",
    "stream",
    "websocket",
    "tasks",
    "dependency",
]
REQUIRED: Final = inspect.Parameter.empty
"""Stands for "no default"."""

_CAN_BE = (
    "str, int, float, bool, Decimal, UUID, datetime, date, time, timedelta, an Enum, a Literal, one of those "
    "or None, list[...] of those from the query, Request, BodyStream, a dataclass or another model for the "
    "JSON body, any type of the body as Annotated[..., Body()], a field of a form as Annotated[..., Form()], "
    "UploadFile"
)
_CAN_BE_JSON = (
    "a dataclass, a TypedDict, a NamedTuple, a msgspec Struct, a pydantic model, str, int, float, bool, "
    "Decimal, UUID, datetime, date, time, timedelta, bytes, an Enum, a Literal, a list, set, tuple or dict "
    "of those, None or Any"
)
_SOURCES: Final[dict[type[Field], Source]] = {
    Path: "path",
    Query: "query",
    Header: "header",
    Cookie: "cookie",
    Body: "body",
    Form: "form",
    File: "file",
}


class Argument(NamedTuple):
    """One parameter of a handler and where its value comes from."""

    name: str
    source: Source
    default: Any = REQUIRED
    is_keyword: bool = False
    """True when it can be passed by name only."""
    conversion: Conversion | None = None
    """From text; None means the value is right as the template's converter made it."""
    model: Model | None = None
    """For the body."""
    key: str = ""
    """Its name on the wire."""
    field: Field | None = None
    """What describes it: the last of our markers in its annotation."""
    annotation: object = REQUIRED
    """As it was written, resolved."""
    form: FormParameter | None = None
    """For the fields and files of a form."""
    dependency: Dependency | None = None
    """What makes it, where the source is a dependency."""

    @property
    def is_embedded(self) -> bool:
        """True for a member of a body that several parameters may share, and one `model`."""
        return isinstance(self.field, Body) and self.field.embed

    @property
    def repeats(self) -> bool:
        """True when every value of the name is wanted, as a list."""
        return self.source != "path" and self.conversion is not None and self.conversion.item is not None


class Signature(NamedTuple):
    """What a handler takes, and what it says it returns."""

    arguments: tuple[Argument, ...]
    returns: object
    """The return annotation; `inspect.Parameter.empty` when absent or not resolvable."""
    dependencies: tuple[Dependency, ...] = ()
    """Called before those of the arguments, and not for their value: those of the applications, the routers
    and the route.
    """

    def direct_dependencies(self) -> Iterator[Dependency]:
        """Yield what is called for it, in that order; not what is called for those in turn."""
        yield from self.dependencies
        for argument in self.arguments:
            if argument.dependency is not None:
                yield argument.dependency

    def first(self, source: Source) -> Argument | None:
        return next((argument for argument in self.arguments if argument.source == source), None)


def read_signature(handler: Callable[..., Any], template: Template) -> Signature:
    """Decide where every argument of a handler that depends on nothing comes from, or raise
    ApplicationError.
    """
    signature = read_arguments(handler, template, describe(handler))
    return check_content(describe(handler), [signature])[id(signature)]


def read_arguments(
    function: Callable[..., Any],
    template: Template,
    where: str,
    read_dependency: ReadDependency | None = None,
) -> Signature:
    """Return a signature of which `check_content` is still to be asked; `where` names it in messages."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ApplicationError(f"{where}: its signature cannot be read ({error})") from None
    in_path = {parameter.name: parameter for parameter in template.parameters}
    arguments = []
    for parameter in signature.parameters.values():
        place = f"{where}: parameter {parameter.name!r}"
        argument = _dependency_argument(function, parameter, place, read_dependency)
        arguments.append(argument or _argument(function, parameter, in_path, place))
    return Signature(tuple(arguments), _returns(function, signature.return_annotation))


def check_content(where: str, signatures: list[Signature]) -> dict[int, Signature]:
    """Refuse what cannot share one body; return the signatures, by the id of what was given, with the model
    of those that can.
    """
    arguments = [argument for signature in signatures for argument in signature.arguments]
    embedded = _embedded(
        where,
        [[one for one in each.arguments if one.source == "body" and one.is_embedded] for each in signatures],
    )
    for source in ("body", "stream"):
        if source == "body" and all(one.is_embedded for one in arguments if one.source == "body"):
            continue
        several = [argument.name for argument in arguments if argument.source == source]
        if len(several) > 1:
            raise ApplicationError(
                f"{where}: {' and '.join(several)} both want the whole body; keep one"
                + (", or give each Body(embed=True)" if source == "body" else "")
            )
    body = next((one for one in arguments if one.source == "body"), None)
    stream = next((one for one in arguments if one.source == "stream"), None)
    if body is not None and stream is not None:
        raise ApplicationError(
            f"{where}: {stream.name} streams the body that {body.name} needs whole; keep one"
        )
    return {
        id(one): one._replace(
            arguments=tuple(embedded.get(id(argument), argument) for argument in one.arguments)
        )
        for one in signatures
    }


def _embedded(where: str, groups: list[list[Argument]]) -> dict[int, Argument]:
    """Return the arguments that share the body with one model for all of them, by the id of those given, one
    group for each function.
    """
    embedded = [one for group in groups for one in group]
    if not embedded:
        return {}
    clashes = any(len({one.key for one in group}) < len(group) for group in groups)
    members: dict[str, tuple[object, bool]] = {}
    for one in embedded:
        member = (one.annotation, one.default is REQUIRED)
        clashes = members.setdefault(one.key, member) != member or clashes
    said = {one.field.unknown for one in embedded if isinstance(one.field, Body)} - {None}
    if clashes or len(said) > 1:
        what = "the same alias" if clashes else "different unknown="
        names = " and ".join(one.name for one in embedded)
        raise ApplicationError(f"{where}: {names} share the body and have {what}")
    model = embedding_model(members, next(iter(said), None))
    return {id(one): one._replace(model=model) for one in embedded}


def _dependency_argument(
    function: Callable[..., Any],
    parameter: inspect.Parameter,
    where: str,
    read_dependency: ReadDependency | None,
) -> Argument | None:
    """Return the argument of a parameter that says `Depends(...)`; None for any other."""
    declared, annotation = parameter.default, parameter.annotation
    if isinstance(declared, Declared):
        whole = _resolved(function, annotation, where) if declared.function is None else annotation
        annotation = peel(whole)
    elif annotation is not REQUIRED:
        whole = _resolved(function, annotation, where)
        annotation, metadata = split(whole)
        declared = next((one for one in reversed(metadata) if isinstance(one, Declared)), None)
    else:
        return None
    if declared is None or read_dependency is None:
        return None
    is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    node = read_dependency(declared, annotation)
    return Argument(parameter.name, "dependency", is_keyword=is_keyword, annotation=whole, dependency=node)


def _argument(
    handler: Callable[..., Any], parameter: inspect.Parameter, in_path: dict[str, Parameter], where: str
) -> Argument:
    name = parameter.name
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise ApplicationError(
            f"{where} takes any number of arguments; name each one (a decorator needs functools.wraps)"
        )
    is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    whole = _resolved(handler, parameter.annotation, where)
    annotation, metadata = split(whole)
    _check_marked(parameter, metadata, where)
    if annotation is Request or (annotation is REQUIRED and name == "request" and name not in in_path):
        return Argument(name, "request", is_keyword=is_keyword)
    if annotation is BackgroundTasks:
        return Argument(name, "tasks", is_keyword=is_keyword)
    if annotation is BodyStream:
        return Argument(name, "stream", is_keyword=is_keyword)
    if annotation is MultipartStream:
        return Argument(name, "parts", is_keyword=is_keyword)
    if annotation is WebSocket or (annotation is REQUIRED and name == "websocket" and name not in in_path):
        return Argument(name, "websocket", is_keyword=is_keyword)
    field = _marker(where, [one for one in metadata if isinstance(one, Field)])
    key = name if field is None or field.alias is None else field.alias
    source = _source(where, key, field, whole, in_path)
    argument = Argument(name, source, REQUIRED, is_keyword, key=key, field=field, annotation=whole)
    try:
        if source == "path":
            return argument._replace(conversion=_path_conversion(in_path[key], whole))
        if source == "body":
            model = Model(whole, field.unknown if isinstance(field, Body) else None)
            return argument._replace(model=model, default=_default(parameter, annotation))
        if source in ("form", "file"):
            form = form_parameter(key, whole, field, parameter.default)
            return argument._replace(form=form, conversion=form.conversion, default=form.default)
        conversion = TEXT.conversion(whole)
        if source == "cookie" and conversion.item is not None:
            raise Unsupported(f"a cookie is one value, {name_of(annotation)} is several")
    except Unsupported as error:
        raise ApplicationError(f"{where}: {error}{_advice(error, annotation, source)}") from None
    except RecursionError:
        raise ApplicationError(
            f"{where}: {name_of(annotation)} contains itself, and text does not nest; take it from the body "
            "with Body()"
        ) from None
    default = _default(parameter, annotation)
    if default is REQUIRED and conversion.item is not None:
        default = []  # no occurrence at all is how a query spells the empty list
        if any(one.name == "min_length" for one in conversion.constraints):
            default = REQUIRED
    if source == "header" and key == name:
        key = name.replace("_", "-")
    return argument._replace(default=default, conversion=conversion, key=key)


def _marker(where: str, markers: list[Field]) -> Field | None:
    """Return the marker that says the source, else the last, with what the others say beside it."""
    saying = [one for one in markers if type(one) in _SOURCES]
    if len({type(one) for one in saying}) > 1:
        names = " and ".join(type(one).__name__ for one in saying)
        raise ApplicationError(f"{where}: {names} say different sources; keep one")
    if len(markers) < 2:
        return markers[0] if markers else None
    chosen = (saying or markers)[-1]
    told: dict[str, Any] = {}
    for one in (*markers, chosen):
        told |= {
            slot.name: value
            for slot in dataclasses.fields(Field)
            if (value := getattr(one, slot.name)) != slot.default
        }
    return dataclasses.replace(chosen, **told)


def _check_marked(parameter: inspect.Parameter, metadata: tuple[object, ...], where: str) -> None:
    """Refuse what is meant as a marker and is none: it would be passed over, or be the value."""
    try:
        check_marked(parameter.default, metadata)
    except Unsupported as error:
        raise ApplicationError(f"{where}: {error}") from None
    for one in metadata:
        if inspect.isroutine(one):
            said = "Depends(...)" if one is Depends else f"Depends({one.__name__})"
            raise ApplicationError(f"{where}: {one.__name__} marks nothing by itself; write {said}")


def _advice(error: Unsupported, annotation: object, source: Source) -> str:
    """Return what to write instead of a type that is none of those; empty for any other fault."""
    if not isinstance(error, NoSuchType):
        return ""
    if source == "body":
        return f"; in a body it can be {_CAN_BE_JSON}"
    if isinstance(annotation, type) and issubclass(annotation, Response):
        return "; a handler returns its response, and is given none"
    if holds_model(annotation):
        return (
            "; a model is the JSON body, or a form as Annotated[..., Form()]; one made of values of the "
            "query, of fields or cookies is Annotated[..., Depends()]"
        )
    return f"; it can be {_CAN_BE}"


def _source(
    where: str, key: str, field: Field | None, annotation: object, in_path: dict[str, Parameter]
) -> Source:
    """Decide where a parameter comes from: by its marker, its name in the path, its type."""
    said = None if field is None else _SOURCES.get(type(field))
    if not key or (
        field is not None and field.alias is not None and isinstance(field, Body) and not field.embed
    ):
        raise ApplicationError(f"{where}: alias={key!r} is no name a value can be found by; leave it out")
    if said == "path" and key not in in_path:
        raise ApplicationError(f"{where}: there is no {{{key}}} in the path it could come from")
    if said not in (None, "path") and key in in_path and in_path[key].name == key and said != "header":
        raise ApplicationError(f"{where}: {{{key}}} stands in the path, and its marker says {said}")
    if said is not None:
        return said
    if key in in_path:
        return "path"
    if file_kind(annotation) is not None:
        return "file"
    return "body" if holds_model(annotation) else "query"


def _path_conversion(parameter: Parameter, whole: object) -> Conversion | None:
    """Return what is left to convert and to check after the template's converter; None for nothing."""
    made = parameter.converter.python_type
    annotation, metadata = split(whole)
    bounds = constraints_in(metadata)
    if (annotation in (REQUIRED, Any, object) or made is None) and not bounds:
        return None
    members = typing.get_args(annotation) if is_union(annotation) else (annotation,)
    wanted = [peel(one) for one in members if one is not NoneType]
    if wanted == [made] or (made is not str and (made in wanted or (made is int and float in wanted))):
        if not bounds:
            return None
        if made is not None and made is not str:
            kind = made.__name__.lower()
            return Conversion(lambda value: value, kind, kind).constrained(make_constraints(bounds, kind))
    if made is not str and made is not None:
        raise Unsupported(
            f"{{{parameter.name}:{parameter.kind}}} in the path makes {made.__name__}, the annotation says "
            f"{name_of(annotation)}; write {{{parameter.name}}} or the annotation {made.__name__}"
        )
    conversion = TEXT.conversion(whole)
    if conversion.item is not None:
        raise Unsupported(f"a path parameter is one value, {name_of(annotation)} is several")
    return conversion


def _default(parameter: inspect.Parameter, annotation: object) -> Any:
    """Return the default; None when there is none but None is a value, since leaving it out is the only way
    to say it.
    """
    if parameter.default is REQUIRED and is_union(annotation) and NoneType in typing.get_args(annotation):
        return None
    return parameter.default


def _returns(handler: Callable[..., Any], annotation: object) -> object:
    try:
        return peel(_resolved(handler, annotation, "return"))
    except ApplicationError:
        return REQUIRED  # it only serves speed, and is often imported under TYPE_CHECKING


def _resolved(handler: Callable[..., Any], annotation: object, where: str) -> object:
    """Evaluate an annotation given as text, or holding text inside, in the module of the handler."""
    if annotation is REQUIRED or annotation is None:
        return annotation
    scope = _names_of(handler)
    # PERF: most annotations are a class or its name; 0.4 us against 20, several times for each argument.
    plain = scope.get(annotation, vars(builtins).get(annotation)) if type(annotation) is str else annotation
    if isinstance(plain, type):
        return plain
    holder = SimpleNamespace(__annotations__={"it": annotation})
    # Our own names, often imported under TYPE_CHECKING only, are known all the same; locals win, so they come
    # second.
    ours: tuple[type, ...] = (Request, BodyStream, BackgroundTasks, WebSocket, UploadFile, MultipartStream)
    names = {one.__name__: one for one in ours}
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


def _names_of(handler: Callable[..., Any]) -> dict[str, Any]:
    """Return the names of the module a function, or a class, is defined in."""
    function = inner_function(handler)
    if not isinstance(function, type):
        return getattr(function, "__globals__", {})
    makers = (getattr(function, name) for name in ("__init__", "__new__"))
    made_by = next((one for one in makers if hasattr(one, "__globals__")), None)
    module = vars(sys.modules[function.__module__]) if function.__module__ in sys.modules else {}
    return {**getattr(made_by, "__globals__", {}), **module}
