"""`requires`: a dependency that lets in who may, by scopes.

It stands on another dependency, which says who it is: 401 is that one's answer, 403 this one's. A guard of
another kind is a dependency like any other; `dependencies=[Depends(guard)]` puts it before a route, a router
or an application, so there is no option of its own for guards.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from penstock.app.injection.depends import Declared, Depends
from penstock.errors import ApplicationError, HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def requires(
    *scopes: str, of: Callable[..., Any], granted: Callable[[Any], Iterable[str]] | None = None
) -> Callable[..., Any]:
    """Return a dependency that gives what `of` does, a dependency itself, if that has all these scopes: its
    attribute `scopes`, or what `granted` makes of it. Else it is a 403.
    """
    if not scopes or not all(isinstance(one, str) and one for one in scopes):
        raise ApplicationError(f"requires{scopes!r}: expected scopes, as texts")
    if not callable(of):
        raise ApplicationError(f"requires(of={of!r}): expected the dependency that says who it is")
    scheme = find_scheme(of)
    needed = frozenset(scopes)
    read = granted or _scopes_of

    def check(found: Any = Depends(of)) -> Any:  # noqa: B008 - as users write it
        if found is None:
            raise _unknown(scheme)
        if not needed.issubset(read(found)):
            raise scheme.forbidden(scopes) if scheme is not None else _forbidden(scopes)
        return found

    described: Any = check
    described.scopes = scopes
    if scheme is not None:  # for OpenAPI
        described.scheme_name, described.security_scheme = scheme.scheme_name, scheme.security_scheme
    return check


def find_scheme(function: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Return the first scheme that a function depends on, or is; None when there is none."""
    if hasattr(function, "scheme_name") and hasattr(function, "forbidden"):
        return function
    if id(function) in seen:
        return None
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except (TypeError, ValueError, NameError):  # whoever compiles the route says what is wrong
        return None
    for parameter in parameters:
        for declared in _declared(parameter):
            kind = parameter.annotation
            kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
            scheme = find_scheme(declared.function or kind, seen | {id(function)})
            if scheme is not None:
                return scheme
    return None


def _declared(parameter: inspect.Parameter) -> list[Declared]:
    is_annotated = get_origin(parameter.annotation) is Annotated
    metadata = get_args(parameter.annotation)[1:] if is_annotated else ()
    return [one for one in (parameter.default, *metadata) if isinstance(one, Declared)]


def _scopes_of(found: Any) -> Iterable[str]:
    try:
        scopes: Iterable[str] = found.scopes
    except AttributeError:
        kind = type(found).__name__
        raise TypeError(f"{kind} has no `scopes`; requires(..., granted=...) says how to get them") from None
    if isinstance(scopes, str):
        raise TypeError(f"the scopes of {type(found).__name__} are one text; expected several")
    return scopes


def _unknown(scheme: Any) -> HTTPError:
    headers = {"WWW-Authenticate": scheme.challenge()} if hasattr(scheme, "challenge") else None
    return HTTPError(401, "authentication is needed", headers=headers)


def _forbidden(scopes: tuple[str, ...]) -> HTTPError:
    return HTTPError(403, f"this needs {' '.join(scopes)}")
