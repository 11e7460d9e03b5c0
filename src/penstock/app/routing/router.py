"""Routers: what declares routes. An `App` is one, too.

Declaring only records. Templates are parsed and handlers inspected when the application starts, so the order
of `include` and of decorators does not matter, and every mistake is reported at one moment, with the
handler's place. The decorators return the function unchanged: it can be called, tested and pickled as
written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from penstock.app.injection.depends import check_dependencies
from penstock.app.routing.declared import DeclaresHooks, check_hooks
from penstock.app.routing.handling import DeclaresExceptionHandlers
from penstock.app.routing.options import RouteOptions, WebSocketOptions, told_options
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeGuard, Unpack

    from penstock.app.application import App
    from penstock.app.injection.depends import Declared
    from penstock.app.routing.controller import Controller
    from penstock.app.routing.options import Run
    from penstock.app.routing.versions import Versions

F = TypeVar("F", bound="Callable[..., Any]")

# RFC 9110 §9.1 and PATCH (RFC 5789). CONNECT is known only where a route asks for it.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})

_TOKEN_SIGNS = frozenset("!#$%&'*+-.^_`|~")  # RFC 9110 §5.6.2, beside letters and digits


class Route(NamedTuple):
    """One declared route: the handler and everything said about it; `path` is without the prefixes of its
    routers.
    """

    path: str
    methods: tuple[str, ...]
    handler: Callable[..., Any]
    name: str
    status: int | None
    run: Run | None
    body_limit: int | None
    cancel_on_disconnect: bool
    tags: tuple[str, ...]
    summary: str | None
    timeout_s: float | None = None
    websocket: WebSocketOptions | None = None
    """Set: the handler converses over a WebSocket."""
    interface: str | None = None
    """Set: the handler is a mounted application, of this interface."""
    options: RouteOptions = {}  # noqa: RUF012 - never changed
    """As declared, for those who read an option that is none of the fields above."""

    @property
    def shown_methods(self) -> tuple[str, ...]:
        """The methods, for people: a WebSocket begins as a GET, and is none; an application takes all."""
        if self.interface is not None:
            return (self.interface.upper(),)
        return self.methods if self.websocket is None else ("WEBSOCKET",)


class Placed(NamedTuple):
    """A route under its whole path, with the applications it belongs to, outermost first."""

    path: str
    route: Route
    apps: tuple[App, ...]
    routers: tuple[Router, ...]
    """Every router above it, applications included, outermost first."""
    host: str = ""
    """It answers for this host alone, which may have parameters; "": for any without routes of its own."""
    version: tuple[Versions, str] | None = None
    """It answers for this version alone, which a header names."""

    @property
    def dependencies(self) -> tuple[Declared, ...]:
        """Those of its routers, outermost first, then its own; not those the handler names."""
        own: Any = self.route.options if self.route.websocket is None else self.route.websocket
        above = (one for router in self.routers for one in router.dependencies)
        return (*above, *check_dependencies(describe(self.route.handler), own.get("dependencies", ())))

    @property
    def tags(self) -> tuple[str, ...]:
        """Those of its routers and its own, outermost first, each once."""
        tags = (tag for router in self.routers for tag in router.tags)
        return tuple(dict.fromkeys((*tags, *self.route.tags)))

    @property
    def label(self) -> str:
        """For messages: `GET /users -> shop:users (/srv/shop.py:12)`."""
        methods = ",".join(self.route.shown_methods)
        return f"{methods} {self.host}{self.path} -> {describe(self.route.handler)}"


class Router(DeclaresHooks, DeclaresExceptionHandlers):
    """A group of routes under a prefix, to be included in an application or another router. `hooks` are put
    round its routes, the first outermost (`penstock.app.hooks`); its `tags` come before theirs.
    `dependencies` are called before what their handlers depend on themselves.

    >>> router = Router(prefix="/shop")
    >>> @router.get("/items/{item_id}")
    ... def item(item_id: int) -> dict: return {"id": item_id}
    """

    def __init__(
        self,
        prefix: str = "",
        *,
        tags: Iterable[str] = (),
        hooks: Iterable[object] = (),
        responses: Mapping[Any, Any] | None = None,
        deprecated: bool = False,
        include_in_schema: bool = True,
        dependencies: Iterable[object] = (),
    ) -> None:
        self.prefix = _checked_prefix(prefix)
        self.tags = _checked_tags(tags)
        super().__init__(hooks)
        self.exception_handlers = {}
        self.responses = responses or {}
        """For the OpenAPI document, as these three: what each of its routes may answer, too."""
        self.deprecated = deprecated
        self.include_in_schema = include_in_schema
        self.dependencies = check_dependencies(f"the router with prefix {prefix!r}", dependencies)
        self._routes: list[Route] = []
        self._children: list[tuple[str, Router]] = []
        self._is_frozen = False

    def route(
        self, path: str, methods: Iterable[str] = ("GET",), **options: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Declare the decorated function as the handler of a path, for the given methods."""
        if not isinstance(path, str):
            raise ApplicationError(f"{path!r} is no path; a route is declared as in @app.get('/items')")
        if isinstance(methods, str):
            raise ApplicationError(f"methods must be a list such as [{methods!r}], not one text")
        names = tuple(dict.fromkeys(_checked_method(method) for method in methods))
        if not names:
            raise ApplicationError(f"route {path!r} names no method")
        if path and not path.startswith("/"):
            raise ApplicationError(f"path {path!r} must begin with '/'")

        def declare(handler: F) -> F:
            self._check_open(f"route {path!r}")
            if not callable(handler):
                raise ApplicationError(
                    f"route {path!r}: the handler must be a function, not {type(handler).__name__}"
                )
            self._routes.append(_make_route(path, names, handler, options))
            return handler

        return declare

    def get(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Declare a GET handler; HEAD is answered from it too."""
        return self.route(path, ("GET",), **options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        return self.route(path, ("POST",), **options)

    def put(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        return self.route(path, ("PUT",), **options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        return self.route(path, ("PATCH",), **options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        return self.route(path, ("DELETE",), **options)

    def head(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Declare a HEAD handler, where answering from GET would be wasteful."""
        return self.route(path, ("HEAD",), **options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Declare an OPTIONS handler instead of the automatic one."""
        return self.route(path, ("OPTIONS",), **options)

    def websocket(self, path: str, **options: Unpack[WebSocketOptions]) -> Callable[[F], F]:
        """Declare the decorated `async def` function, which takes a `WebSocket`, for WebSocket connections to
        a path.
        """
        unknown = options.keys() - WebSocketOptions.__annotations__.keys()
        if unknown:
            told = told_options(min(unknown), WebSocketOptions.__annotations__)
            raise ApplicationError(f"websocket {path!r}: unknown option {min(unknown)!r}; {told}")
        own: RouteOptions = {}
        if "name" in options:
            own["name"] = options["name"]
        if "hooks" in options:
            own["hooks"] = options["hooks"]
        declare_route = self.route(path, ("GET",), **own)

        def declare(handler: F) -> F:
            declare_route(handler)
            self._routes[-1] = self._routes[-1]._replace(websocket=options)
            return handler

        return declare

    def include(self, router: Router | Controller | type[Controller], prefix: str = "") -> None:
        """Add every route of a router, present and to come, or of a controller, under this one's prefix,
        `prefix` and its own, in that order.
        """
        self._check_open("include")
        self._children.append((_checked_prefix(prefix), _as_router(router)))

    def mount(
        self, prefix: str, application: Router | Controller | type[Controller] | Callable[..., Any]
    ) -> None:
        """Put a whole application under a prefix: an `App`, `StaticFiles`, or one of ASGI or WSGI.

        A mounted `App` keeps its converters, hooks, exception handlers and lifespan for its own routes; a
        path no route matches is answered by the outermost application. An application of ASGI or WSGI answers
        every path below the prefix that no other route takes, with "/" every such path at all.
        """
        if not prefix:
            raise ApplicationError("mount needs a prefix such as '/admin'; use include for none")
        if isinstance(application, Router) or _is_controller(application):
            self.include(application, prefix)
            return
        from penstock.app.mounting import Mounted

        self.include(Mounted(application), "" if prefix == "/" else prefix)

    def host(self, host: str, router: Router | Controller | type[Controller]) -> None:
        """Include a router for one host: "api.example.org", or "{tenant}.example.org" whose parameter is
        bound as one of the path. Such a host has these routes and no others.
        """
        from penstock.app.routing.hosts import OfHost

        self.include(OfHost(host, _as_router(router)))

    def freeze(self) -> None:
        """Refuse routes from now on: the application has been compiled, they would never be served."""
        self._is_frozen = True
        for _, child in self._children:
            child.freeze()

    def applications(self) -> Iterator[App]:
        """Yield every application at or below this router, outermost first."""
        for _, child in self._children:
            yield from child.applications()

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        """Yield every route below this router under its whole path, in the order of declaration, own routes
        first.
        """
        if any(router is self for router in above):
            raise ApplicationError(f"the router with prefix {self.prefix!r} is included in itself")
        prefix += self.prefix
        for route in self._routes:
            yield Placed(prefix + route.path or "/", route, apps, (*above, self))
        for between, child in self._children:
            yield from child.placed(prefix + between, apps, (*above, self))

    def _check_open(self, what: str) -> None:
        if self._is_frozen:
            raise ApplicationError(f"{what}: the application has started; declare every route before that")


def describe(handler: Callable[..., Any]) -> str:
    """Return `module:qualname (file:line)` of a handler, for messages.

    >>> describe(print)
    'builtins:print'
    """
    function = inner_function(handler)
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return handler_name(handler) + place


def handler_name(handler: Callable[..., Any]) -> str:
    """Return `module:qualname` of a handler."""
    function = inner_function(handler)
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def inner_function(handler: Any) -> Any:
    """Return the function inside decorators made with `functools.wraps`, partials and bound methods."""
    while True:
        inner = getattr(handler, "__wrapped__", None) or getattr(handler, "__func__", None)
        if inner is None and not hasattr(handler, "__code__"):
            inner = getattr(handler, "func", None)  # functools.partial
        if inner is None and not hasattr(handler, "__code__"):
            inner = getattr(type(handler).__call__, "__wrapped__", type(handler).__call__)
            inner = inner if hasattr(inner, "__code__") else None  # an object with __call__
        if inner is None:
            return handler
        handler = inner


def _make_route(
    path: str, methods: tuple[str, ...], handler: Callable[..., Any], options: RouteOptions
) -> Route:
    unknown = options.keys() - RouteOptions.__annotations__.keys()
    if unknown:
        told = told_options(min(unknown), RouteOptions.__annotations__)
        raise ApplicationError(f"route {path!r}: unknown option {min(unknown)!r}; {told}")
    if "hooks" in options:
        options["hooks"] = check_hooks(options["hooks"])
    inner = inner_function(handler)
    return Route(
        path=path,
        methods=methods,
        handler=handler,
        name=options.get("name") or str(getattr(inner, "__name__", type(inner).__name__)),
        status=options.get("status"),
        run=options.get("run"),
        body_limit=options.get("body_limit"),
        cancel_on_disconnect=options.get("cancel_on_disconnect", False),
        tags=_checked_tags(options.get("tags", ())),
        summary=options.get("summary"),
        timeout_s=options.get("timeout_s"),
        options=options,
    )


def _as_router(value: object) -> Router:
    """Return what is included: a router, or the one a controller is."""
    if isinstance(value, Router):
        return value
    if _is_controller(value):
        from penstock.app.routing.controller import controller_router

        return controller_router(value)
    given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise ApplicationError(f"include takes a Router, an App or a Controller, not {given}")


def _is_controller(value: object) -> TypeGuard[Controller | type[Controller]]:
    from penstock.app.routing.controller import Controller

    return isinstance(value, Controller) or (isinstance(value, type) and issubclass(value, Controller))


def _checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    return (tags,) if isinstance(tags, str) else tuple(tags)


def _checked_method(method: str) -> str:
    name = method.upper()
    if not name or not all(sign.isascii() and (sign.isalnum() or sign in _TOKEN_SIGNS) for sign in name):
        raise ApplicationError(f"{method!r} is not a method")
    return name


def _checked_prefix(prefix: str) -> str:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise ApplicationError(f"prefix {prefix!r} must begin with '/' and not end with it, as in '/api'")
    return prefix
