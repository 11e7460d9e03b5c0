"""The thorough way through a request that the quick way refused: every fault, named by where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.binding.signature import REQUIRED
from penstock.errors import HTTPError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.binding.conversion import Fault
    from penstock.app.binding.signature import Argument
    from penstock.http.request import Request


def binding_error(arguments: Iterable[Argument], request: Request) -> HTTPError:
    """Return the error that answers a request whose values do not fit: 422 with every fault, or 400 or 415
    when one is unreadable.
    """
    try:
        request.query  # noqa: B018 - 400 before 422: nothing in it can be trusted
    except ValueError as error:
        return HTTPError(400, str(error))
    found: list[Fault] = []
    for argument in arguments:
        try:
            found += faults_of(argument, request)
        except HTTPError as error:
            return error
    if not found:
        raise RuntimeError(f"{request!r} was refused, but nothing is wrong with it")
    return ValidationError(found)


def faults_of(argument: Argument, request: Request) -> list[Fault]:
    """Return the faults of one argument; `[]` when the quick way takes it. HTTPError when the body is
    unreadable.
    """
    name = argument.name
    if argument.model is not None:
        return argument.model.faults(request) if request.body or argument.default is REQUIRED else []
    conversion = argument.conversion
    if conversion is None:
        return []
    if argument.source == "path":
        return conversion.faults((request.path_params or {})[name], ["path", name])
    if name not in request.query:
        return [{"loc": ["query", name], "msg": "required, and missing", "type": "missing"}] * (
            argument.default is REQUIRED
        )
    value = request.query.get_all(name) if argument.repeats else request.query[name]
    return conversion.faults(value, ["query", name])
