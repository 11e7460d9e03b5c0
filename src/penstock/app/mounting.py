"""Applications of other interfaces below a prefix of an App: `app.mount("/legacy", django_application)`.

A `Mounted` router claims every method and every path below its prefix; the gateway answers, and tells the
application where it is by `request.mounted_at`. Which endpoint of the gateway answers, one with its content
whole, one that streams it or one for WebSocket, is chosen for each request: its route leads to a
`MountPoint`, which `choosing` asks. What WSGI sends by `write()` has left before plain hooks see anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from penstock.app.layers import Laid
from penstock.app.routing.router import Placed, Route, Router
from penstock.app.static.files import redirect_to_mount
from penstock.errors import ApplicationError
from penstock.gateway.interface import ASGI, WSGI, find_interface
from penstock.http.handler import ANSWERED, INLINE, TASK, THREAD, Endpoint
from penstock.http.response import Response
from penstock.wire.limits import STANDARD_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.app.application import App
    from penstock.app.failures import Failures
    from penstock.http.handler import Answer, Call, ConnectionView, Handler
    from penstock.http.request import Request


class Mounted(Router):
    """An ASGI or WSGI application as a router."""

    def __init__(self, application: Any) -> None:
        super().__init__(include_in_schema=False)  # nothing is known of what it takes and answers
        interface = find_interface(application)
        if interface not in (ASGI, WSGI):
            given = f"the class {application.__name__}" if isinstance(application, type) else application
            raise ApplicationError(
                "mount takes an App, a Router, a Controller, an ASGI or a WSGI application, "
                f"not {given!r:.60}"
            )
        self.application = application
        self.interface = interface

    def placed(
        self, prefix: str = "", apps: tuple[App, ...] = (), above: tuple[Router, ...] = ()
    ) -> Iterator[Placed]:
        if any(router.dependencies for router in above):
            # Not left out in silence: they may be what lets nobody else in.
            raise ApplicationError(
                f"{prefix or '/'}: dependencies are not called for a mounted {self.interface.upper()} "
                "application; use hooks, or mount it where there are none"
            )
        methods = tuple(sorted(STANDARD_METHODS))
        for path in ("/", "/{path:path}"):
            yield Placed(prefix + path, self._route(prefix, path, methods), apps, (*above, self))
        if prefix:
            redirect = self._route(prefix, "", methods)._replace(
                handler=redirect_to_mount, interface=None, run="inline"
            )
            yield Placed(prefix, redirect, apps, (*above, self))

    def _route(self, prefix: str, path: str, methods: tuple[str, ...]) -> Route:
        return Route(
            path=path,
            methods=methods,
            handler=self.application,
            name=prefix.strip("/").replace("/", "-") or "mounted",
            status=None,
            run=None,
            body_limit=None,
            cancel_on_disconnect=False,
            tags=(),
            summary=None,
            interface=self.interface,
        )


def make_handler(application: Any, interface: str) -> Handler:
    """Return the gateway to an application."""
    if interface == ASGI:
        from penstock.gateway.asgi import ASGIHandler

        return ASGIHandler(application)
    from penstock.gateway.wsgi import WSGIHandler

    return WSGIHandler(application)


class MountPoint(Endpoint):
    """Where a mounted application begins. It never answers itself: `choose` says what does."""

    __slots__ = ("_answered", "_chosen", "_depth", "_failures", "_handler", "_jobs", "_laid")

    def __init__(
        self, placed: Placed, handler: Handler, failures: Failures, with_hooks: Callable[[Laid], Laid]
    ) -> None:
        super().__init__(_never, route=placed.path)
        self._handler = handler
        self._depth = placed.path.removesuffix("{path:path}").count("/")
        self._failures = failures
        self._chosen: dict[Endpoint, Endpoint] = {}
        self._answered: set[int] = set()
        """Requests under way in a thread whose handler has sent the response itself."""
        self._jobs: set[asyncio.Future[Any]] = set()
        """Calls that go on behind their response."""
        is_wsgi = placed.route.interface == WSGI
        laid = with_hooks(Laid(self._call, THREAD) if is_wsgi else Laid(self._call, INLINE, may_wait=True))
        if laid.run == TASK:  # there are hooks that wait
            laid = with_hooks(Laid(self._call_in_thread if is_wsgi else self._call_outside, TASK))
        elif is_wsgi:
            laid = laid._replace(call=self._unless_answered(laid.call))
        self._laid = laid

    def choose(self, request: Request) -> Endpoint:
        """Return what answers this request, with the hooks round it."""
        raw_path = request.raw_path
        rest = raw_path.split(b"/", self._depth)[-1]
        request.mounted_at = raw_path[: len(raw_path) - len(rest) - 1].decode("ascii")
        inner = self._inner(request)
        endpoint = self._chosen.get(inner)
        if endpoint is None:
            endpoint = inner.with_call(self._laid.call)
            endpoint.run, endpoint.route = self._laid.run, self.route
            endpoint.body_limit, endpoint.timeout_s = self.body_limit, self.timeout_s
            if endpoint.run != THREAD:
                endpoint.after = None
            self._chosen[inner] = endpoint
        return endpoint

    def _inner(self, request: Request) -> Endpoint:
        if getattr(request.connection, "make_session", None) is not None:  # another server's WebSocket
            conversing: Endpoint | None = getattr(self._handler, "conversing", None)
            if conversing is not None:
                return conversing
        return self._handler.resolve(request)

    def _call(self, request: Request) -> Answer:
        """Call the application."""
        answer = self._answer(request)
        if answer is ANSWERED:
            self._answered.add(id(request))
            return Response()
        return answer

    def _answer(self, request: Request) -> Answer:
        try:
            return self._inner(request).call(request)
        except BaseException as error:
            return self._failures.answer(request, error)

    def _unless_answered(self, hooked: Call) -> Call:
        """Return a call that says ANSWERED where the application has sent its response itself; the hooks have
        seen an empty one in its place.
        """

        def call(request: Request) -> Answer:
            response = hooked(request)
            if self._answered and id(request) in self._answered:
                self._answered.discard(id(request))
                return ANSWERED  # type: ignore[no-any-return]
            return response

        return call

    async def _call_outside(self, request: Request) -> Response:
        """Call an ASGI application on the loop, but in no Task: its own begins in that call."""
        loop = asyncio.get_running_loop()
        called: asyncio.Future[Answer] = loop.create_future()

        def call() -> None:
            if not called.done():  # else the client has left already
                called.set_result(self._answer(request))

        loop.call_soon(call)
        answer = await called
        return answer if isinstance(answer, Response) else await answer

    async def _call_in_thread(self, request: Request) -> Response:
        """Call a WSGI application in a thread, and return its response, or the stream that it writes."""
        server, connection = request.server, request.connection
        if server is None or connection is None:
            raise RuntimeError("this request came through no server, and WSGI needs its threads")
        after = self._inner(request).after
        early: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request.connection = cast("Any", AnsweringEarly(connection, early))

        def call() -> Answer:
            try:
                return self._answer(request)
            finally:
                if after is not None:
                    after()

        job = asyncio.ensure_future(server.run_in_thread(call))
        await asyncio.wait([job, early], return_when=asyncio.FIRST_COMPLETED)
        if early.done():
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)
            return early.result()
        try:
            answer: Answer = await job
        except BaseException as error:  # no thread is free
            return await self._failures.answer_async(request, error)
        return answer if isinstance(answer, Response) else await answer


class AnsweringEarly:
    """A connection whose handler in a thread may answer before it returns, to who waits for `early`."""

    def __init__(self, connection: ConnectionView, early: asyncio.Future[Response]) -> None:
        self._connection = connection
        self._early = early

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def answer_early(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - one request
        """In the handler's thread, once: send a response that is made on the loop."""
        self._early.get_loop().call_soon_threadsafe(self._settle, response)
        return True

    def _settle(self, response: Response) -> None:
        if not self._early.done():
            self._early.set_result(response)


def choosing(resolve: Callable[[Request], Endpoint]) -> Callable[[Request], Endpoint]:
    """Return `resolve` for a table with mount points in it."""

    def resolve_and_choose(request: Request) -> Endpoint:
        endpoint = resolve(request)
        return endpoint.choose(request) if type(endpoint) is MountPoint else endpoint

    return resolve_and_choose


def _never(request: Request) -> Answer:
    raise NotImplementedError(request)
