"""`App`: a router that answers. It is a `penstock.http.handler.Handler`, all a server knows of it.

Routes, hooks and exception handlers are declared until start-up; then everything is compiled at once into
plans and a table, and nothing can be declared any more. `resolve` compiles when nobody called `startup`, as
tests do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from penstock.app.routing.router import METHODS, Placed, Router, handler_name
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
    from typing import Unpack

    from penstock.app.asgi import ASGIApplication
    from penstock.app.checks import Declared
    from penstock.app.compiled import Compiled
    from penstock.app.error_pages import ErrorPage
    from penstock.app.events import Events
    from penstock.app.lifespan import Lifespan
    from penstock.app.openapi.about import About
    from penstock.app.openapi.own_routes import Own
    from penstock.app.periodic import Periodic
    from penstock.app.routing.converters import Converter
    from penstock.app.routing.options import RouteOptions
    from penstock.app.routing.router import Route
    from penstock.app.spawning import Spawner
    from penstock.app.stores.store import Store
    from penstock.http.compression import Compression
    from penstock.http.form import FormLimits
    from penstock.http.handler import Endpoint, Handler, ServerView
    from penstock.http.request import Request

F = TypeVar("F", bound="Callable[..., Any]")
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    S = TypeVarWithDefault("S", default=Any)
else:
    S = TypeVar("S")


class RouteRow(NamedTuple):
    """One line of `penstock routes`."""

    methods: tuple[str, ...]
    path: str
    name: str
    handler: str
    """`module:qualname`."""
    run: str
    """"task" for `async def`, else "thread", "inline" or "process"."""


class State(dict[str, Any]):
    """What the lifespan made and handlers use: `app.state.db` or `app.state["db"]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"app.state has no {name!r}; the lifespan yields it") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class App(Router, Generic[S]):
    """A web application.

    `lifespan` is an async context manager function, taking the application or nothing; what it yields, a
    dict or None, goes into `app.state`. `converters` are further kinds of path parameter, by name.
    `state` is the class of `app.state`, or an object, where its parts are to have types: `App(state=Parts)`.
    `compression` says which responses are compressed; none are without it.
    `hooks` are put round everything, the first outermost: `CORS(...)`, `SecurityHeaders(...)` or any object
    with `before`, `after`, `on_error` or `around` (`penstock.app.hooks`). `dependencies`, each `Depends(f)`,
    are called for every route, before those of routers and routes.
    `about` describes it (`penstock.app.openapi.about`): `title`, `version`, `description`, `openapi_url`, ...
    `trailing_slash`: what becomes of a path that has a route only with, or only without, a slash at its end:
    404, a redirect to it, or the same as if it were there. That of the outermost application counts.
    `form_limits` says how much a form may hold, for routes that do not say it themselves.
    `error_pages`: True, as it is unless an outer application says otherwise: a client that prefers HTML gets
    a page instead of problem+json; a function of the request and the members of the problem makes that page;
    False: everybody gets problem+json.
    """

    resolve: Callable[[Request], Endpoint]
    """Return what answers a request; never raises once compiled."""

    def __init__(
        self,
        *,
        lifespan: Callable[..., Any] | None = None,
        converters: Mapping[str, Converter] | None = None,
        compression: Compression | None = None,
        hooks: Iterable[object] = (),
        form_limits: FormLimits | None = None,
        error_pages: ErrorPage | bool | None = None,
        dependencies: Iterable[object] = (),
        state: S | type[S] | None = None,
        validate_responses: bool = False,
        trailing_slash: Literal["strict", "redirect", "ignore"] = "strict",
        **about: Unpack[About],
    ) -> None:
        super().__init__(hooks=hooks, dependencies=dependencies)
        if compression is not None and not hasattr(compression, "put_round"):
            raise ApplicationError(f"compression={compression!r}: expected a Compression(...)")
        if trailing_slash not in ("strict", "redirect", "ignore"):
            raise ApplicationError(
                f"trailing_slash={trailing_slash!r}; expected 'strict', 'redirect' or 'ignore'"
            )
        self.trailing_slash = trailing_slash
        self.lifespan = lifespan
        self.compression = compression
        self.about: About = _checked(about) if about else {}
        self.responses = self.about.get("responses") or {}
        self.webhooks: Router = self.about.get("webhooks") or Router()
        self.form_limits = form_limits
        if not (error_pages is None or isinstance(error_pages, bool) or callable(error_pages)):
            raise ApplicationError(f"error_pages={error_pages!r}; expected True, False or a function")
        self.error_pages = error_pages
        self.validate_responses = validate_responses
        self.state = _made_state(state)
        self.overrides: dict[Any, Any] = {}
        """For tests: what is called instead of a dependency, `app.overrides[get_db] = fake_db`."""
        self.converters: dict[str, Converter] = {}
        self.startup_functions: list[Callable[[], Any]] = []
        self.shutdown_functions: list[Callable[[], Any]] = []
        self.periodic: list[Periodic] = []
        self.checks: list[Declared] = []
        self.gateways: dict[int, Handler] = {}
        """To mounted applications, by their ids: they stay when this one is compiled anew."""
        self._events: Events | None = None
        self._spawner: Spawner | None = None
        self.methods = METHODS
        """Those it knows, another is answered 501; once compiled, with those of its routes."""
        self._compiled: Compiled | None = None
        self._lifespans: list[Lifespan] = []
        """Those that are open: one, but for tests with several clients, on loops of their own."""
        self._asgi: ASGIApplication | None = None
        self.resolve = self._resolve_first
        for name, converter in (converters or {}).items():
            self.add_converter(name, converter)

    # -- declaring

    def add_converter(self, name: str, converter: Converter) -> None:
        """Make `{value:name}` usable in the templates of this application."""
        from penstock.app.routing.converters import check_converter

        self._check_open(f"converter {name!r}")
        self.converters[name] = check_converter(name, converter)

    def on_startup(self, function: F) -> F:
        """Run a function, sync or async, without arguments, before the first request and after the lifespan
        was entered.
        """
        self._check_open("on_startup")
        self.startup_functions.append(function)
        return function

    def on_shutdown(self, function: F) -> F:
        """Run a function, sync or async, without arguments, after the last reply; the last declared first."""
        self._check_open("on_shutdown")
        self.shutdown_functions.append(function)
        return function

    def webhook(
        self, event: str, *, methods: Iterable[str] = ("POST",), **options: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Describe a request this application makes to others: the decorated function has its parameters and
        is never called.
        """
        self._check_open(f"webhook {event!r}")
        return self.webhooks.route(f"/{event}", methods, **options)

    def every(
        self,
        seconds: float,
        *,
        jitter: float = 0.0,
        at_once: bool = False,
        lock: str | os.PathLike[str] | Store | None = None,
    ) -> Callable[[F], F]:
        """Run the decorated function, sync or async, without arguments, every so many seconds, from start-up
        until the server begins to stop.

        `jitter`: up to so many seconds more, by chance; `at_once`: the first time right after start-up.
        `lock`: only one process runs it, the one that has locked the file of that path, or that a store lets.
        """
        from penstock.app.periodic import make_periodic

        def declare(function: F) -> F:
            self._check_open("every")
            self.periodic.append(make_periodic(function, seconds, jitter, lock, at_once=at_once))
            return function

        return declare

    def check(
        self, name: str, *, every_s: float = 5.0, timeout_s: float = 2.0, critical: bool = True
    ) -> Callable[[F], F]:
        """Have the decorated function, sync or async, without arguments, tell whether something this
        application needs is there: it has failed when it raises, returns False or takes longer than
        `timeout_s`.

        Each worker runs it every `every_s`, the first time before it is ready, and no probe waits for it.
        While a critical one fails the worker is not ready; another one only shows.
        """
        from penstock.app.checks import check_together, declare

        def add(function: F) -> F:
            self._check_open("check")
            one = declare(function, name, every_s, timeout_s, is_critical=critical)
            check_together([*self.checks, one])
            self.checks.append(one)
            return function

        return add

    def spawn(
        self, work: Callable[..., Any] | Coroutine[Any, Any, Any], *args: object, **kwargs: object
    ) -> None:
        """Have `work(*args, **kwargs)`, or a coroutine, run by itself: `async def` on the loop, `def` in a
        thread. What it raises is logged. A server that stops lets it end, up to its drain deadline.
        """
        self.spawner.spawn(work, *args, **kwargs)

    @property
    def spawner(self) -> Spawner:
        """What was spawned, and how much of it is `pending`."""
        if self._spawner is None:
            from penstock.app.spawning import Spawner

            self._spawner = Spawner()
        return self._spawner

    @property
    def events(self) -> Events:
        """What happens in this application: `on` declares listeners, `emit` and `aemit` tell them."""
        if self._events is None:
            from penstock.app.events import Events

            self._events = Events()
        return self._events

    # -- asking

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of this application, made anew; what is wrong with a route raises
        ApplicationError.
        """
        from penstock.app.openapi.document import make_document

        return make_document(self)

    def url_for(self, name: str, /, **params: object) -> str:
        """Return the path of the route of that name; parameters it does not have become the query.

        >>> app = App()
        >>> @app.get("/users/{user_id}")
        ... def user(user_id: int) -> dict: ...
        >>> app.url_for("user", user_id=7, full=True)
        '/users/7?full=true'
        """
        from penstock.app.routing.urls import build_url

        return build_url(name, self.compile().templates.get(name, ()), params)

    @property
    def release(self) -> str:
        """Which release of it this is, for a server that was not told: its `version`."""
        return self.about.get("version", "")

    def routes(self) -> list[RouteRow]:
        """Return every route in the order of declaration; what is wrong with one raises ApplicationError."""
        return [
            RouteRow(
                placed.route.shown_methods,
                placed.host + placed.path,
                placed.route.name,
                handler_name(placed.route.handler),
                _runs_as(placed.route),
            )
            for placed in (*self.placed(), *(one for own in self.own_routes() for one in own.routes))
        ]

    # -- Handler

    async def startup(self, server: ServerView | None = None) -> None:
        """Compile, then open the lifespans."""
        from penstock.app.lifespan import Lifespan

        is_development = server is not None and getattr(server, "in_development", False)
        compiled = self.compile(is_development=is_development)
        lifespan = Lifespan(compiled.apps, compiled.mounted, server)
        await lifespan.open()
        self._lifespans.append(lifespan)

    async def shutdown(self) -> None:
        """Close what `startup` opened on this loop, the last first."""
        mine = [one for one in self._lifespans if one.is_here()]
        if not mine:
            return
        self._lifespans.remove(mine[-1])
        try:
            await mine[-1].close()
        finally:
            if self._lifespans:
                self._lifespans[-1].resume()

    # -- ASGI

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be an ASGI 3 application, for other servers than Penstock's own."""
        if self._asgi is None:
            from penstock.app.asgi import ASGIApplication

            self._asgi = ASGIApplication(self)
        await self._asgi(scope, receive, send)

    # -- compiling

    def compile(self, *, is_development: bool = False) -> Compiled:
        """Read, check and compile everything declared. The first call does it, later ones return the same,
        unless `overrides` have changed.
        """
        if self._compiled is None or self._compiled.is_outdated(is_development=is_development):
            from penstock.app.compiled import Compiled

            is_development = is_development or (self._compiled is not None and self._compiled.is_development)
            self._compiled = Compiled(self, is_development=is_development)
            self.resolve = self._compiled.resolve  # PERF: 0.1 us less than asking whether it is compiled
            self.methods = self._compiled.methods
            self.freeze()
        return self._compiled

    def own_routes(self, *, is_development: bool = False) -> Iterator[Own]:
        """Yield the routes it has about itself: its document, and pages that show it."""
        if not (self.about or is_development):
            return iter(())
        from penstock.app.openapi.own_routes import own_routes

        return own_routes(self, is_development=is_development)

    def applications(self) -> Iterator[App]:
        yield self
        yield from super().applications()

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        return super().placed(prefix, (*apps, self), above)

    def _resolve_first(self, request: Request) -> Endpoint:
        return self.compile().resolve(request)


def _checked(about: About) -> About:
    from penstock.app.openapi.about import checked_about  # here: most applications say nothing

    return checked_about(about, App.__init__.__kwdefaults__ or ())


def _runs_as(route: Route) -> str:
    from penstock.app.runs import decide_run

    if route.interface is not None:
        return "thread" if route.interface == "wsgi" else "task"
    return decide_run(route)


def _made_state(state: S | type[S] | None) -> S:
    made: Any = State() if state is None else state() if isinstance(state, type) else state
    return made  # type: ignore[no-any-return]
