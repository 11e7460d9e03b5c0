"""The JSON body as one parameter.

`read` is the quick way: it makes the value or raises ValueError at the first thing wrong. `faults` is the
thorough way and names all of them. What types a body may have, and how they are made, is `app/schema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from penstock.app.schema.foreign import Struct
from penstock.app.schema.validator import compile_validator
from penstock.errors import HTTPError
from penstock.http.json import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.schema.markers import Unknown
    from penstock.app.schema.report import Fault
    from penstock.app.schema.validator import Validator
    from penstock.http.request import Request


class Model:
    """How the body of one parameter is made. Unsupported names what cannot be."""

    __slots__ = ("read", "validator")

    def __init__(self, annotation: object, unknown: Unknown | None = None) -> None:
        self.validator = compile_validator(annotation, unknown=unknown or "ignore")
        self.read = _reader(self.validator)

    def faults(self, request: Request) -> list[Fault]:
        """Return every fault of the body; `[]` exactly when `read` makes a value."""
        return self.validator.faults(json_content(request))


def embedding_model(members: dict[str, tuple[object, bool]], unknown: Unknown | None) -> Model:
    """Return the model of an object with these members, each an annotation and whether it is required; what
    it makes is a dict.
    """
    annotations = {
        key: annotation if is_required else NotRequired[annotation]
        for key, (annotation, is_required) in members.items()
    }
    return Model(TypedDict("body", annotations), unknown)  # type: ignore[operator]


def _reader(validator: Validator) -> Callable[[Request], Any]:
    octet_reader = validator.node.octet_reader() if isinstance(validator.node, Struct) else None

    def read_octets(request: Request) -> Any:
        """Do the same in one step for a type that can; whatever is wrong is found the other way."""
        if request.headers.get("content-type") == "application/json":
            try:
                return octet_reader(request.body)  # type: ignore[misc]
            except (ValueError, RecursionError):
                pass
        return read(request)

    def read(request: Request) -> Any:
        """Return the value a request's body says; HTTPError 415 or 400 when it is no JSON, ValueError when it
        does not fit.
        """
        return validator.convert(json_content(request))

    return read if octet_reader is None else read_octets


def json_content(request: Request) -> object:
    """Return the parsed body of a request; HTTPError 415 when it is not declared as JSON, 400 when it is
    malformed.
    """
    media_type = request.headers.get("content-type", "")
    if media_type != "application/json" and not is_json(media_type):
        detail = "the body must be JSON, with Content-Type: application/json"
        raise HTTPError(415, detail, headers={"Accept": "application/json"})
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
