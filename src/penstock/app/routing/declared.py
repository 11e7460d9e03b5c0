"""Hooks as they are declared: checked for being any, read only at start-up (`penstock.app.hooks`)."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

F = TypeVar("F", bound="Callable[..., Any]")

NAMES = ("before", "after", "on_error", "around")
_FORMS = (*NAMES, *(f"a{name}" for name in NAMES))
# What an object may say that is no function of a request.
_OTHERS = ("settings", "resolving")


_TAKEN = {
    "before": ("request",),
    "after": ("request", "response"),
    "on_error": ("request", "error"),
    "around": ("request", "call_next"),
}


class FunctionHook:
    """A function declared by a decorator, as a hook."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.function = function
        setattr(self, name, function)


class DeclaresHooks:
    """The decorators of a router that declare hooks, for its routes and those of what it includes."""

    _check_open: Callable[[str], None]

    def __init__(self, hooks: Iterable[object]) -> None:
        self.hooks = check_hooks(hooks)
        self.declared_hooks: list[FunctionHook] = []
        """By the decorators; inside `hooks`."""

    def before(self, hook: F) -> F:
        """Run `hook(request)` before each request is answered; a response it returns is the answer."""
        return self._declare("before", hook)

    def after(self, hook: F) -> F:
        """Run `hook(request, response)` on each answer, the last declared first; it may change the headers,
        or return another response.
        """
        return self._declare("after", hook)

    def on_error(self, hook: F) -> F:
        """Run `hook(request, error)` on what no exception handler is for, the last declared first; a response
        it returns is the answer. The error is logged before.
        """
        return self._declare("on_error", hook)

    def around(self, hook: F) -> F:
        """Run `hook(request, call_next)` instead of what is declared after it, routes included, which
        `call_next(request)` answers; in an `async def` hook, `await call_next(request)`.
        """
        return self._declare("around", hook)

    def _declare(self, name: Literal["before", "after", "on_error", "around"], hook: F) -> F:
        self._check_open("hook")
        if not callable(hook):
            raise ApplicationError(f"{name} takes a function, not {type(hook).__name__}")
        check_takes(hook, name, *_TAKEN[name])
        self.declared_hooks.append(FunctionHook(name, hook))
        return hook


def check_hooks(hooks: Iterable[object]) -> tuple[Any, ...]:
    """Return the hooks; ApplicationError for what is none, and for two of a class where one counts."""
    if isinstance(hooks, (str, bytes)) or not hasattr(hooks, "__iter__"):
        raise ApplicationError(f"hooks={hooks!r}: expected a list of hooks")
    checked = tuple(hooks)
    for hook in checked:
        functions = [function for name in _FORMS if (function := getattr(hook, name, None)) is not None]
        is_hook = all(map(callable, functions)) and (functions or any(hasattr(hook, one) for one in _OTHERS))
        if isinstance(hook, type):
            name = hook.__name__
            raise ApplicationError(f"hooks: {name} is a class; give an object of it, {name}(...)")
        if isinstance(hook, FunctionType):
            raise ApplicationError(
                f"hooks: {hook.__name__} is a function; declare it by @app.before, @app.after, "
                "@app.on_error or @app.around"
            )
        if not is_hook:
            raise ApplicationError(
                f"hooks: {hook!r} is no object with `before(request)`, `after(request, response)`, "
                "`on_error(request, error)` or `around(request, call_next)`"
            )
        if getattr(hook, "replaces_outer", False) and sum(type(one) is type(hook) for one in checked) > 1:
            raise ApplicationError(f"hooks: {type(hook).__name__} twice; keep one")
    return checked


def check_takes(function: Callable[..., Any], what: str, *names: str) -> None:
    """ApplicationError for a function that cannot be called with so many arguments; here, since who handles
    errors may not be called before something goes wrong in production.
    """
    import inspect

    from penstock.app.routing.router import describe

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a built-in function, say
        return
    try:
        signature.bind(*names)
    except TypeError:
        raise ApplicationError(
            f"{describe(function)}: {what} is called with ({', '.join(names)}), and it takes {signature}"
        ) from None
