"""Which interface an application speaks, decided by looking at it, never by calling it."""

from __future__ import annotations

import inspect
from typing import Any, Final

AUTO: Final = "auto"
"""Not an interface: decide by looking."""
NATIVE: Final = "native"
ASGI: Final = "asgi"
WSGI: Final = "wsgi"

_NATIVE_FUNCTIONS = ("resolve", "startup", "shutdown")


def find_interface(value: object) -> str | None:
    """Return NATIVE, ASGI or WSGI, or None when `value` is no application.

    A native application is an object with the functions of a `Handler`; its `methods` are not asked for: an
    App compiles itself to tell them. What is called with scope, receive, send and returns an awaitable is
    ASGI; what takes two arguments is WSGI.
    """
    if isinstance(value, type):
        return None
    if all(callable(getattr(value, name, None)) for name in _NATIVE_FUNCTIONS):
        return NATIVE
    if not callable(value):
        return None
    function = _function_of(value)
    if inspect.iscoroutinefunction(function):
        return ASGI if _takes(value, 3) else None
    if inspect.isasyncgenfunction(function):
        return None
    # `def app(scope, receive, send): return inner(...)`, as decorators write it, is ASGI too.
    is_wsgi = _takes(value, 2)
    is_asgi = _takes(value, 3)
    if is_wsgi and is_asgi:  # *args: nothing to tell them apart by, and WSGI would break on a coroutine
        return None
    return WSGI if is_wsgi else ASGI if is_asgi else None


def _function_of(value: Any) -> Any:
    """The function that runs when `value` is called: behind partials, and behind an instance `__call__`."""
    while hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
        value = value.func
    if inspect.isroutine(value):
        return value
    return getattr(type(value), "__call__", value)  # noqa: B004 - the function is wanted, not whether it is there


def _takes(value: Any, count: int) -> bool:
    """True when `value` can be called with that many positional arguments."""
    try:
        inspect.signature(value).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature
        return count == 2
    return True
