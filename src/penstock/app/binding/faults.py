"""The thorough way through a request that the quick way refused: every fault, named by where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.binding.signature import REQUIRED
from penstock.app.schema.report import MAX_FAULTS
from penstock.errors import HTTPError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.binding.signature import Argument
    from penstock.app.schema.report import Fault
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
    told = []
    for argument in arguments:
        if argument.is_embedded:
            if argument.model in told:
                continue
            told.append(argument.model)
        try:
            # Two functions may take the same parameter.
            found += [fault for fault in faults_of(argument, request) if fault not in found]
        except HTTPError as error:
            return error
    if not found:
        raise RuntimeError(f"{request!r} was refused, but nothing is wrong with it")
    if len(found) >= MAX_FAULTS:
        return ValidationError(
            found[:MAX_FAULTS], f"the request has invalid values; these are the first {MAX_FAULTS} faults"
        )
    return ValidationError(found)


def faults_of(argument: Argument, request: Request) -> list[Fault]:
    """Return the faults of one argument; `[]` when the quick way takes it. HTTPError when the body is
    unreadable.
    """
    if argument.form is not None:
        return argument.form.faults(request.form())
    if argument.model is not None:
        return argument.model.faults(request) if request.body or argument.default is REQUIRED else []
    key, conversion = argument.key, argument.conversion
    if conversion is None:
        return []
    if argument.source == "path":
        return conversion.faults((request.path_params or {})[key], ["path", key])
    place = _PLACES[argument.source](request)
    if key not in place:
        missing: Fault = {"loc": [argument.source, key], "msg": "required, and missing", "type": "missing"}
        return [missing] * (argument.default is REQUIRED)
    value = place.get_all(key) if argument.repeats else place[key]
    return conversion.faults(value, [argument.source, key])


_PLACES: dict[str, Callable[[Request], Any]] = {
    "query": lambda request: request.query,
    "header": lambda request: request.headers,
    "cookie": lambda request: request.cookies,
}
