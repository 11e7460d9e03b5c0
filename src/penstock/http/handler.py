"""The one seam between an application and a server.

A server knows a `Handler`: it resolves each request, as soon as the head is parsed, to an `Endpoint`, which
says where it wants to run and how much content it takes, and then calls it. An application knows a
`ServerView`: the pools it may use. Neither imports the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Iterator

    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.http.websocket import WebSocketSettings

    Answer: TypeAlias = Response | Awaitable[Response]
    Call: TypeAlias = Callable[[Request], Answer]

INLINE: Final = 0
"""On the loop, at once: for handlers that never block."""
TASK: Final = 1
"""A coroutine function, on the loop."""
THREAD: Final = 2
"""In the thread pool; the thread sends the reply."""


class Endpoint:
    """What answers a request, and how it wants to be run.

    `call` turns every failure of user code into a response; what it still raises is a bug, which the server
    answers with a bare 500. It may return an awaitable wherever it runs: the server then finishes it on the
    loop.
    """

    __slots__ = (
        "after",
        "body_limit",
        "call",
        "cancel_on_disconnect",
        "lingers",
        "route",
        "run",
        "streams_body",
        "timeout_s",
    )

    def __init__(
        self,
        call: Call,
        run: int = INLINE,
        *,
        body_limit: int | None = None,
        streams_body: bool = False,
        cancel_on_disconnect: bool = False,
        route: str | None = None,
        after: Callable[[], None] | None = None,
        timeout_s: float | None = None,
        lingers: bool = False,
    ) -> None:
        self.call = call
        self.run = run
        self.body_limit = body_limit
        """Octets of content accepted; None means the server's limit."""
        self.streams_body = streams_body
        """True: called as soon as the head is there, `request.stream` gives the content as it arrives."""
        self.cancel_on_disconnect = cancel_on_disconnect
        self.route = route
        self.after = after
        """With THREAD: called in the same thread once the reply has left it."""
        self.timeout_s = timeout_s
        """Until its response begins, or 504; None means the server's, 0 no limit. INLINE has none."""
        self.lingers = lingers
        """True: its call may leave endings with the request, to be run once the reply is out."""

    def with_call(self, call: Call) -> Endpoint:
        """Return the same with another `call`."""
        other = Endpoint(call)
        for name in Endpoint.__slots__:
            if name != "call":
                setattr(other, name, getattr(self, name))
        return other

    def __repr__(self) -> str:
        return f"<Endpoint {self.route or self.call!r}>"


class Ending(Protocol):
    """Something to do for a request once the last octet of its reply has left, or its client. Neither method
    raises but what ends its Task.
    """

    @property
    def run(self) -> int:
        """Where: THREAD and INLINE by `close`, TASK by `aclose`."""
        ...

    def close(self, error: BaseException | None) -> None:
        """`error` is what cut the content of the reply short."""
        ...

    async def aclose(self, error: BaseException | None) -> None:
        """The same in a coroutine: for TASK that of the call, if it still runs."""
        ...


class Handler(Protocol):
    """What a server serves."""

    methods: frozenset[str]
    """The methods it knows; a request with another is answered 501 by the server."""

    def resolve(self, request: Request) -> Endpoint:
        """Return what answers this request. Called on the loop for every head: cheap, never blocks, never
        raises.
        """
        ...

    async def startup(self, server: ServerView) -> None:
        """Get ready before the first request; what it raises ends the server with that message."""
        ...

    async def shutdown(self) -> None:
        """Let go after the last reply."""
        ...


class Draining(Protocol):
    """Whether the server has begun to stop: true then, and whoever awaits it is told."""

    def __bool__(self) -> bool: ...

    def __await__(self) -> Generator[Any, None, None]: ...

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait in a thread, at most so long; return whether it has begun."""
        ...


class ServerView(Protocol):
    """What an application may know of and ask from the server it runs in."""

    @property
    def draining(self) -> Draining:
        """True once the server has begun to stop."""
        ...

    @property
    def websocket(self) -> WebSocketSettings:
        """How WebSocket connections are kept, unless a route says otherwise."""
        ...

    @property
    def in_development(self) -> bool:
        """True when its users are the application's authors."""
        ...

    @property
    def explain(self) -> Callable[[Request, BaseException], Response] | None:
        """In development, what answers a failure with all there is to know of it; else None."""
        ...

    def thread_pool(self) -> dict[str, int]:
        """Return total_workers, active_workers, idle_workers, queue_depth."""
        ...

    def run_eagerly(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine at once: its result when it did not wait, else the asyncio.Task it goes on in. Not
        from within a Task.
        """
        ...

    def run_soon(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return the asyncio.Task that runs a coroutine; keep it, or it may be collected."""
        ...

    def keep(self, task: Any) -> None:
        """Let an asyncio.Task end before the application is stopped, as long as there is time."""
        ...

    async def run_in_thread(self, function: Callable[..., Any], *args: object) -> Any:
        """Run a blocking function in the thread pool, in a copy of the caller's context."""
        ...

    async def continue_in_thread(self, function: Callable[..., Any], *args: object) -> Any:
        """The same for work already begun, which is never refused."""
        ...

    async def run_in_process(self, function: Callable[..., Any], *args: object) -> Any:
        """Run a picklable function in the process pool."""
        ...


class ConnectionView(Protocol):
    """What a request may know of the connection it came over."""

    @property
    def scheme(self) -> str: ...

    @property
    def client(self) -> tuple[str, int] | None: ...

    @property
    def client_certificate(self) -> dict[str, Any] | None:
        """What the peer has proved to be; None when it was not asked."""
        ...

    @property
    def local(self) -> tuple[str, int | None]:
        """Address and port the client connected to; a path and None for a Unix socket."""
        ...

    @property
    def server(self) -> ServerView: ...

    def on_disconnect(self, request: Request, callback: Callable[[], None], task: Any = None) -> None:
        """Call `callback()` when the client leaves before this request is answered, or was answered in the
        handler's place; at once when it has left. It may be called later as well, so it must not mind.

        `task` is the Task that works on the answer where that is another Future: when the answer is not there
        in time, its stack is logged and it is cancelled.
        """
        ...

    def send_interim(self, request: Request, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send an interim response (RFC 9110 §15.2) ahead of the reply; HTTP/1.0 has none, and gets none."""
        ...


ANSWERED: Final[Any] = object()
"""What a call in a thread returns when it has answered early."""


class AnswersEarly(Protocol):
    """A connection whose handler in a thread may answer before it returns."""

    def answer_early(self, request: Request, response: Response) -> bool:
        """In the handler's thread, once: send a response that is made on the loop, a `PushResponse`; False
        when somebody else has answered. The handler then returns `ANSWERED`.
        """
        ...


class Sink(Protocol):
    """Where the source of a `PushResponse` sends its pieces. Thread of the loop."""

    def send(self, piece: bytes) -> Awaitable[None] | None:
        """Send a piece; return what to await before the next one, None when the client took all of it.

        ClientDisconnected when it has left, LocalProtocolError beyond the declared Content-Length.
        """
        ...

    def end(self, *, is_complete: bool = True) -> None:
        """No more pieces. What is not complete can be shown only by cutting the connection."""
        ...


class Source(Protocol):
    """What makes the content of a `PushResponse`."""

    def begin(self, sink: Sink) -> None:
        """The head is sent: pieces may follow, at whatever time."""
        ...

    def disconnect(self) -> None:
        """The client has left, or the response could not be sent: no piece will reach anybody."""
        ...


class Link(Protocol):
    """The connection after an upgrade, as octets both ways. Thread of the loop."""

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """Send; return what to await before more is sent, None when the client took all of it.

        Dropped once the connection is lost or ending: the speaker is told so, or did it itself.
        """
        ...

    def flushed(self) -> Awaitable[None] | None:
        """What to await until the client has taken everything, None when it has. Ends with the connection,
        too.
        """
        ...

    def pause(self) -> None:
        """Receive nothing for now: the client waits."""
        ...

    def resume(self) -> None:
        """Receive again."""
        ...

    def end(self) -> None:
        """Close once everything is sent; nothing is received from now on."""
        ...

    def abort(self) -> None:
        """Close now."""
        ...


class Speaker(Protocol):
    """What speaks the new protocol after an `UpgradeResponse`. Called on the loop; must not block."""

    @property
    def task(self) -> Any:
        """The asyncio Task to be cancelled when the drain deadline cuts the connection; None for none."""
        ...

    def begin(self, link: Link) -> None:
        """The 101 is sent."""
        ...

    def take(self, octets: bytes) -> None:
        """Octets came. Perhaps once more after `pause`."""
        ...

    def end_of_input(self) -> None:
        """The client sends no more, and may still read."""
        ...

    def drain(self, left_s: float, *, is_restart: bool) -> None:
        """The server stops, or with `is_restart` this process of it: in `left_s` the connection is cut; with
        0 as soon as this returns.
        """
        ...

    def lost(self) -> None:
        """The connection is over, or was never upgraded: nothing is received or sent any more. Told once,
        last.
        """
        ...


class Pulse(Protocol):
    """What a stream sends beside its pieces, while its iterator is waited for. Thread of the loop."""

    interval_s: float
    """A beat is due when nothing was sent for so long."""

    def beat(self) -> bytes:
        """Return what shows that the stream lives; b"" when this is no moment for it."""
        ...

    def end(self) -> bytes | None:
        """Return what ends the content here and now, for a server that stops; None: it can only be cut."""
        ...


class BodyStream(Protocol):
    """Content as it arrives: iterate with `async for` on the loop, with `for` in a thread.

    Waiting pauses the client: no more than one receive buffer is held. ClientDisconnected when the peer
    leaves before the end, HTTPError 413 when the content passes the limit.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def __iter__(self) -> Iterator[bytes]: ...

    async def read(self) -> bytes:
        """Return all the content that is left."""
        ...

    def read_sync(self) -> bytes:
        """Return all the content that is left; for handlers in a thread."""
        ...
