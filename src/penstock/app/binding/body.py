"""A dataclass as the JSON body: flat, each field checked by its annotation.

`read` is the quick way: it makes the instance or raises ValueError at the first thing wrong. `faults` is the
thorough way and names all of them. Unknown members of the object are ignored, missing ones take the field's
default. Absent on purpose: nested models, constraints and aliases; the validator of a later release brings
them.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import TYPE_CHECKING, Any

from penstock.app.binding.conversion import Unsupported
from penstock.app.binding.notations import JSON
from penstock.errors import HTTPError
from penstock.http.json import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.binding.conversion import Conversion, Fault
    from penstock.http.request import Request


class Model:
    """How one dataclass is made from a JSON object. Unsupported names the field that cannot be."""

    __slots__ = ("_make", "_optional", "_optional_converts", "_required", "_required_converts")

    def __init__(self, model: type) -> None:
        self._make: Callable[..., Any] = model
        self._required: list[tuple[str, Conversion]] = []
        self._optional: list[tuple[str, Conversion]] = []
        try:
            hints = typing.get_type_hints(model, include_extras=True)
        except Exception as error:
            raise Unsupported(
                f"the annotations of {model.__qualname__} cannot be resolved ({error})"
            ) from None
        for field in dataclasses.fields(model):
            if not field.init:
                continue
            try:
                conversion = JSON.conversion(hints[field.name])
            except Unsupported as error:
                raise Unsupported(f"field {field.name!r} of {model.__qualname__}: {error}") from None
            has_default = (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)
            (self._optional if has_default else self._required).append((field.name, conversion))
        self._required_converts = [(name, conversion.convert) for name, conversion in self._required]
        self._optional_converts = [(name, conversion.convert) for name, conversion in self._optional]

    def read(self, request: Request) -> Any:
        """Return the instance a request's body says; HTTPError 415 or 400 when it is no JSON, ValueError when
        it does not fit.
        """
        content = json_content(request)
        if type(content) is not dict:
            raise ValueError("dict")
        try:
            values = {name: convert(content[name]) for name, convert in self._required_converts}
        except KeyError:
            raise ValueError("missing") from None
        for name, convert in self._optional_converts:
            if name in content:
                values[name] = convert(content[name])
        return self._make(**values)

    def faults(self, request: Request) -> list[Fault]:
        """Return every fault of the body; `[]` exactly when `read` makes an instance."""
        content = json_content(request)
        if not isinstance(content, dict):
            return [{"loc": ["body"], "msg": "expected an object", "type": "dict"}]
        found: list[Fault] = []
        for name, conversion in (*self._required, *self._optional):
            if name in content:
                found += conversion.faults(content[name], ["body", name])
            elif (name, conversion) in self._required:
                found.append({"loc": ["body", name], "msg": "required, and missing", "type": "missing"})
        if not found:
            try:
                self.read(request)
            except ValueError as error:  # raised by the dataclass's own __post_init__, for the client to read
                found.append({"loc": ["body"], "msg": str(error), "type": "value"})
        return found


def json_content(request: Request) -> object:
    """Return the parsed body of a request; HTTPError 415 when it is not declared as JSON, 400 when it is
    malformed.
    """
    media_type = request.headers.get("content-type", "")
    if media_type != "application/json" and not is_json(media_type):
        raise HTTPError(415, "the body must be application/json", headers={"Accept": "application/json"})
    try:
        return loads(request.body)
    except ValueError as error:
        raise HTTPError(400, f"the body is not JSON: {error}") from None


def is_json(media_type: str) -> bool:
    """Tell whether a Content-Type is JSON: application/json or a "+json" suffix (RFC 6839 §3.1), whatever its
    parameters.

    >>> is_json("Application/Problem+JSON; charset=utf-8")
    True
    """
    essence = media_type.partition(";")[0].strip(" \t").lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))
