"""Controllers: routes as the methods of a class, which share what its instance holds.

    class Users(Controller):
        prefix = "/users"

        def __init__(self, store: Store) -> None:
            self.store = store

        @get("/{user_id}")
        async def one(self, user_id: int) -> User: ...

    app.include(Users(store))

The decorators only mark a function. When a controller is included a router is made of it, whose handlers are
the bound methods of the one instance. A class inherits the routes of its bases: a method that replaces
another keeps its route unless it is decorated itself, and a name set to None takes it away.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from penstock.app.routing.router import Router, describe, inner_function
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Unpack

    from penstock.app.routing.options import RouteOptions, WebSocketOptions

F = TypeVar("F", bound="Callable[..., Any]")

_MARK = "__penstock_routes__"


class _Declared(NamedTuple):
    """A route as a decorator says it; no methods means a WebSocket."""

    path: str
    methods: tuple[str, ...] | None
    options: dict[str, Any]


class Controller:
    """Routes under one prefix as the methods of a class; to be included in a router or an application, as an
    instance, or as the class when it is made without arguments. One instance serves all requests.
    """

    prefix: str = ""
    tags: Iterable[str] = ()
    hooks: Iterable[object] = ()
    responses: Mapping[Any, Any] | None = None
    deprecated: bool = False
    include_in_schema: bool = True
    dependencies: Iterable[object] = ()


def route(path: str, methods: Iterable[str] = ("GET",), **options: Unpack[RouteOptions]) -> Callable[[F], F]:
    """Declare the decorated method as the handler of a path, as `Router.route` does."""
    if not isinstance(path, str):
        raise ApplicationError(f"{path!r} is no path; a route is declared as in @get('/items')")
    if isinstance(methods, str):
        raise ApplicationError(f"methods must be a list such as [{methods!r}], not one text")
    return _marking(_Declared(path, tuple(methods), dict(options)))


def get(path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
    """Declare a method of a controller for GET; HEAD is answered from it too."""
    return route(path, ("GET",), **options)


def post(path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
    """Declare a method of a controller for POST."""
    return route(path, ("POST",), **options)


def put(path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
    """Declare a method of a controller for PUT."""
    return route(path, ("PUT",), **options)


def patch(path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
    """Declare a method of a controller for PATCH."""
    return route(path, ("PATCH",), **options)


def delete(path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
    """Declare a method of a controller for DELETE."""
    return route(path, ("DELETE",), **options)


def websocket_route(path: str, **options: Unpack[WebSocketOptions]) -> Callable[[F], F]:
    """Declare an `async def` method of a controller for WebSocket connections."""
    return _marking(_Declared(path, None, dict(options)))


def controller_router(controller: Controller | type[Controller]) -> Router:
    """Return the router a controller is; ApplicationError when it cannot be made or has no route."""
    one = _made(controller)
    name = type(one).__name__
    router = Router(one.prefix, **{option: getattr(one, option) for option in _ROUTER_OPTIONS})
    for attribute, declared in _declarations(type(one)):
        for path, methods, options in declared:
            given = {"name": f"{name}.{attribute}"} | options
            handler = getattr(one, attribute)
            if methods is None:
                router.websocket(path, **given)(handler)
            else:
                router.route(path, methods, **given)(handler)
    if not any(router.placed()):
        raise ApplicationError(f"{name} declares no route: decorate its methods with @get(...) and the like")
    return router


_ROUTER_OPTIONS = ("tags", "hooks", "dependencies", "responses", "deprecated", "include_in_schema")


def _made(controller: Controller | type[Controller]) -> Controller:
    if not isinstance(controller, type):
        return controller
    try:
        inspect.signature(controller).bind()
    except TypeError:
        raise ApplicationError(
            f"{describe(controller)} is made with arguments: include an instance, "
            f"{controller.__name__}(...), in place of the class"
        ) from None
    return controller()


def _declarations(kind: type) -> Iterator[tuple[str, list[_Declared]]]:
    """Yield the methods that are routes, those of bases first, each by its name and the nearest marks."""
    names: dict[str, list[_Declared]] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            if value is None:
                names.pop(name, None)
            elif callable(value) and (declared := getattr(inner_function(value), _MARK, None)) is not None:
                names[name] = declared
    yield from names.items()


def _marking(declared: _Declared) -> Callable[[F], F]:
    def mark(method: F) -> F:
        function = inner_function(method)
        if not inspect.isfunction(function):
            raise ApplicationError(f"{method!r} is no method: a route of a controller is one of its methods")
        if "." not in function.__qualname__:  # of a module, where nothing would ever look for it
            raise ApplicationError(
                f"{describe(function)} is no method of a Controller; declare a function by @app.get and "
                "the like"
            )
        # The topmost decorator runs last, and its route is to come first.
        setattr(function, _MARK, [declared, *vars(function).get(_MARK, ())])
        return method

    return mark
