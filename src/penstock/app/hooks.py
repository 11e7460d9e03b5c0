"""What a hook is: an object with any of `before(request)`, `after(request, response)`,
`on_error(request, error)` and `around(request, call_next)`.

Each is plain or `async def`. One that may wait for I/O has two forms, such as `before` and `abefore`: the
plain one serves `def` handlers, in their thread, the other whatever runs on the loop. A form that is None is
none. Which form runs is decided at start-up (`app.layers`), where a hook is read into a `Hook`.

An object may instead, or as well, say something of the routes it is for, in `settings`: a table of the
attributes of an Endpoint, which costs nothing per request (`BodyLimit`, `Timeout`).

`copies = True` promises that `after` and `around` change nothing but what `own_copy(response, request)` gives
them, and keep no response. Any other hook gets a response of its own, which it may change, or keep: the next
one gets another.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.routing.router import describe
from penstock.app.runs import is_coroutine_function
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.routing.router import Placed, Router

    Function = Callable[..., Any]


class Form(NamedTuple):
    """One of the functions of a hook; at least one of the two."""

    plain: Function | None
    waits: Function | None

    def on_loop(self) -> Function:
        """Return what runs on the loop."""
        return self.waits or self.plain  # type: ignore[return-value]

    def in_thread(self) -> Function:
        """Return what runs in a thread, where there is such a form."""
        return self.plain or self.waits  # type: ignore[return-value]


class Hook(NamedTuple):
    """A hook, read."""

    given: object
    before: Form | None
    after: Form | None
    on_error: Form | None
    around: Form | None
    copies: bool


def read_hook(hook: object) -> Hook:
    """Return the functions of a hook; ApplicationError for two forms that are both async, or both plain."""
    return Hook(
        hook,
        before=_read_form(hook, "before"),
        after=_read_form(hook, "after"),
        on_error=_read_form(hook, "on_error"),
        around=_read_form(hook, "around"),
        copies=bool(getattr(hook, "copies", False)),
    )


def _read_form(hook: object, name: str) -> Form | None:
    plain, waits = getattr(hook, name, None), getattr(hook, f"a{name}", None)
    if plain is not None and is_coroutine_function(plain):
        if waits is not None:
            raise ApplicationError(f"hooks: {hook!r}: `{name}` is async def, and so is `a{name}`; keep one")
        plain, waits = None, plain
    if waits is not None and not is_coroutine_function(waits):
        raise ApplicationError(f"hooks: {hook!r}: `a{name}` must be async def")
    return Form(plain, waits) if plain is not None or waits is not None else None


def scopes_of(placed: Placed) -> list[list[Any]]:
    """Return the hooks of a route by scope, the route's own first and then outwards.

    Where one with `replaces_outer` is, those of its class further out are left out.
    """
    return without_replaced([placed.route.options.get("hooks", ()), *declared(placed.routers)])


def declared(routers: Iterable[Router]) -> list[Iterable[Any]]:
    """Return the hooks of routers, those of the innermost first."""
    return [(*router.hooks, *router.declared_hooks) for router in reversed(tuple(routers))]


def without_replaced(scopes: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Return the scopes, innermost first, without those hooks an inner one stands for."""
    replaced: set[type] = set()
    kept = []
    for scope in scopes:
        hooks = [hook for hook in scope if type(hook) not in replaced]
        replaced.update(type(hook) for hook in hooks if getattr(hook, "replaces_outer", False))
        kept.append(hooks)
    return kept


def settings_of(scopes: Iterable[Iterable[Any]]) -> dict[str, Any]:
    """Return what hooks say of their routes; the innermost counts."""
    found: dict[str, Any] = {}
    for scope in scopes:
        for hook in reversed(tuple(scope)):
            found = {**getattr(hook, "settings", {}), **found}
    return found


def describe_hook(hook: object) -> str:
    """Return the name of a hook, for messages."""
    function = getattr(hook, "function", None)
    return describe(function) if function is not None else f"{type(hook).__name__} ({_place(type(hook))})"


def _place(kind: type) -> str:
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return kind.__module__
