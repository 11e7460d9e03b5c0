"""`cached=60`: replies kept in the process, found before anything is bound."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import threading
import time
from typing import Annotated

import pytest

from penstock.app.application import App
from penstock.app.auth.api_key import APIKey
from penstock.app.auth.bearer import BearerAuth
from penstock.app.auth.guard import requires
from penstock.app.caching import kept_replies
from penstock.app.injection.depends import Depends
from penstock.app.routing.router import Router
from penstock.app.schema.markers import Cookie, Header
from penstock.errors import ApplicationError, HTTPError
from penstock.http.compression import Compression
from penstock.http.kept_response import KeptResponse
from penstock.http.request import Request
from penstock.http.response import HTMLResponse, JSONResponse, Response, StreamResponse
from tests.app.driver import answer, get, send
from tests.server.harness import serve

WAIT_S = 30
TOKENS = {"one": "token-1", "two": "token-2"}


def declare(app, handler, kind="thread", path="/a", **options):
    """Declare a handler as `async def`, `def` or inline."""
    options = {"cached": 60} | options
    if kind == "task":

        async def wrapped(*args, **kwargs):
            return handler(*args, **kwargs)

        wrapped.__signature__ = __import__("inspect").signature(handler)
        wrapped.__annotations__ = handler.__annotations__
        app.get(path, **options)(wrapped)
        return
    app.get(path, **({"run": "inline"} if kind == "inline" else {}), **options)(handler)


@pytest.fixture(params=["thread", "task", "inline"])
def kind(request):
    return request.param


def test_the_handler_is_called_once(kind):
    app, calls = App(), []

    def handle(n: int, q: str = "none") -> dict:
        calls.append((n, q))
        return {"n": n, "q": q}

    declare(app, handle, kind, "/a/{n}")

    replies = [get(app, target) for target in ("/a/1", "/a/1", "/a/1?q=x", "/a/1?q=x", "/a/2", "/a/1")]

    assert calls == [(1, "none"), (1, "x"), (2, "none")]
    assert replies[0].body == replies[1].body == replies[5].body == b'{"n":1,"q":"none"}'
    assert replies[3].body == b'{"n":1,"q":"x"}'
    assert isinstance(replies[1], KeptResponse)
    assert replies[1] is replies[5]


def test_it_is_made_again_after_its_time(kind, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(kept_replies, "monotonic", lambda: now[0])
    app, calls = App(), []

    def handle() -> str:
        calls.append(1)
        return f"reply {len(calls)}"

    declare(app, handle, kind, cached=5)
    get(app, "/a")
    now[0] += 4.9
    assert get(app, "/a").body == b"reply 1"
    now[0] += 0.2
    assert get(app, "/a").body == b"reply 2"


def test_fields_and_cookies_that_are_declared_make_a_difference(kind):
    app, calls = App(), []

    def language(accept_language: Annotated[str, Header()] = "none") -> str:
        return accept_language

    def handle(spoken: str = Depends(language), theme: Annotated[str, Cookie()] = "light") -> str:
        calls.append(1)
        return f"{spoken} {theme}"

    declare(app, handle, kind)

    def ask(*headers):
        return get(app, "/a", headers=headers).body

    assert ask(("accept-language", "de")) == b"de light"
    assert ask(("accept-language", "en")) == b"en light"
    assert ask(("accept-language", "de"), ("cookie", "theme=dark; other=1")) == b"de dark"
    assert ask(("accept-language", "de"), ("cookie", "theme=dark; other=2")) == b"de dark"
    assert ask(("accept-language", "de"), ("user-agent", "x")) == b"de light"
    assert len(calls) == 3


@dataclasses.dataclass
class Body:
    x: int


@pytest.mark.parametrize("parameter", [Request, Body])
def test_what_could_be_anything_is_refused_at_start_up(parameter):
    app = App()

    def needs(it):
        return it

    needs.__annotations__ = {"it": parameter}

    @app.get("/a", cached=60)
    def handle(needed: object = Depends(needs)) -> str:
        return "x"

    with pytest.raises(ApplicationError, match=r"parameter 'it'.*cached_vary"):
        app.compile()


@pytest.mark.parametrize(
    "options",
    [{"cached": 0}, {"cached": True}, {"cached": "1"}, {"cached": float("nan")}, {"cached_vary": ["a"]}],
)
def test_times_that_are_none_are_refused(options):
    app = App()

    @app.get("/a", **options)
    def handle() -> str:
        return "x"

    with pytest.raises(ApplicationError, match="cached="):
        app.compile()


def test_only_get_and_head_are_cached():
    app = App()

    @app.route("/a", ["GET", "POST"], cached=60)
    def handle() -> str:
        return "x"

    with pytest.raises(ApplicationError, match="GET and HEAD"):
        app.compile()


def test_a_request_may_be_looked_at_where_one_says_at_what():
    app = App()

    @app.get("/a", cached=60, cached_vary=["Accept"])
    def handle(request: Request) -> str:
        return f"{request.method} {request.headers['accept']}"

    replies = [
        send(app, method, "/a", headers=(("accept", accept), ("x-other", str(at)))).body
        for at, (method, accept) in enumerate([("GET", "a"), ("GET", "b"), ("HEAD", "a"), ("GET", "a")])
    ]

    assert replies == [b"GET a", b"GET b", b"HEAD a", b"GET a"]


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response(b"x", 200, {"Set-Cookie": "a=b"}),
        lambda: Response(b"x", 200, {"Cache-Control": "no-store"}),
        lambda: Response(b"x", 200, {"Cache-Control": "max-age=5, private"}),
        lambda: Response(b"x", 200, {"Vary": "*"}),
        lambda: Response(b"x", 200, {"Connection": "close"}),
        lambda: Response(b"x", 302, {"Location": "/"}),
        lambda: Response(b"x", 404),
        lambda: Response(bytes(3_000_000)),
        lambda: StreamResponse([b"x"]),
    ],
)
def test_what_is_not_for_everybody_or_no_success_is_not_kept(kind, response):
    app, calls = App(), []

    def handle() -> Response:
        calls.append(1)
        return response()

    declare(app, handle, kind)

    get(app, "/a")
    get(app, "/a")

    assert len(calls) == 2


def test_failures_are_not_kept(kind):
    app, calls = App(), []

    def handle() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise HTTPError(503, "not yet") if len(calls) == 1 else LookupError
        return "well"

    declare(app, handle, kind)

    assert [get(app, "/a").status for _ in range(4)] == [503, 500, 200, 200]
    assert len(calls) == 3


def test_hooks_see_every_request_and_change_nothing_that_is_kept(kind):
    class Count:
        def after(self, request, response):
            response.headers.set("X-Count", "1")
            response.headers.append("X-Seen", request.headers["x-number"])

    app = App(hooks=[Count()])
    declare(app, lambda: "x", kind)

    seen = [
        get(app, "/a", headers=(("x-number", str(number)),)).headers.get_all("x-seen") for number in range(3)
    ]

    assert seen == [["0"], ["1"], ["2"]]


def test_a_plain_hook_round_a_def_handler_stays_in_its_thread():
    """It may block, so it must not come to the loop because the reply is kept."""
    threads = set()

    class Around:
        def around(self, request, call_next):
            threads.add(threading.current_thread())
            return call_next(request)

    app, calls = App(hooks=[Around()]), []

    @app.get("/a", cached=60)
    def handle() -> str:
        calls.append(1)
        return "x"

    with serve(app) as running:
        replies = [running.ask("/a") for _ in range(3)]

    assert [reply.content for reply in replies] == [b"x"] * 3
    assert len(calls) == 1
    assert loop_thread(running) not in threads


def loop_thread(running):
    return running._thread


@pytest.mark.parametrize("kind", ["thread", "task"])
def test_of_those_who_want_it_at_once_one_has_it_made_over_sockets(kind):
    app, calls, total = App(), [], 5

    def handle() -> str:
        calls.append(1)
        wait_until(lambda: waiting() >= total - 1)
        return "made"

    async def ahandle() -> str:
        calls.append(1)
        while waiting() < total - 1:  # noqa: ASYNC110 - others come by themselves
            await asyncio.sleep(0.001)
        return "made"

    app.get("/a", cached=60)(handle if kind == "thread" else ahandle)
    with serve(app) as running:
        clients = [running.connect() for _ in range(total)]
        for client in clients:
            client.send(b"GET /a HTTP/1.1\r\nHost: test\r\n\r\n")
        replies = [client.take() for client in clients]

    assert [reply.content for reply in replies] == [b"made"] * total
    assert len(calls) == 1


@pytest.fixture(autouse=True)
def _note_kept(monkeypatch):
    """Every KeptReplies of a test, for looking inside."""
    KEPT.clear()
    make = kept_replies.KeptReplies.__init__

    def note(self, *args, **kwargs):
        KEPT.append(self)
        make(self, *args, **kwargs)

    monkeypatch.setattr(kept_replies.KeptReplies, "__init__", note)


KEPT = []


def waiting():
    """How many wait for a reply that another has made."""
    return sum(len(one._callbacks or ()) for one in list(KEPT[0]._loop_flights._flights.values()))


def test_a_client_that_leaves_takes_nobody_with_it():
    app, begun, gates = App(), [], [threading.Event(), threading.Event()]

    @app.get("/a", cached=60, cancel_on_disconnect=True)
    async def handle() -> str:
        at = len(begun)
        begun.append(at)
        while not gates[at].is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.001)
        return f"made {at}"

    with serve(app) as running:
        first, second = running.connect(), running.connect()
        first.send(b"GET /a HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_until(lambda: begun)
        second.send(b"GET /a HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_until(lambda: any(one._callbacks for one in KEPT[0]._loop_flights._flights.values()))
        first.close()
        wait_until(lambda: len(begun) == 2)
        gates[1].set()
        assert second.take().content == b"made 1"


@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_dependency_opens_is_closed_once_for_each_making(is_async):
    app, events = App(), []

    def connection():
        events.append("open")
        yield "x"
        events.append("close")

    async def aconnection():
        events.append("open")
        yield "x"
        events.append("close")

    if is_async:

        @app.get("/a", cached=60)
        async def handle(x: str = Depends(aconnection)) -> str:
            return x

    else:

        @app.get("/a", cached=60)
        def plain_handle(x: str = Depends(connection)) -> str:
            return x

    with serve(app) as running:
        for _ in range(3):
            assert running.ask("/a").content == b"x"
        wait_until(lambda: len(events) >= 2)

    assert events == ["open", "close"]


def test_over_a_socket_the_same_octets_each_time(kind):
    app = App()
    declare(app, lambda: {"a": 1}, kind)

    with serve(app) as running, running.connect() as client:
        first, *others = [client.ask("/a") for _ in range(4)]
        head = client.ask("/a", method="HEAD")
        old = running.ask("/a", version="1.0")

    fields = [name for name, _ in first.fields]
    assert (first.status, first.content) == (200, b'{"a":1}')
    assert all([name for name, _ in other.fields] == fields for other in others)
    assert all(
        (other.content, other.get("content-type")) == (first.content, "application/json") for other in others
    )
    assert (head.content, head.get("content-length")) == (b"", "7")
    assert (old.status, old.content) == (200, b'{"a":1}')


def test_conditions_and_ranges_are_heard():
    app, calls = App(), []

    @app.get("/a", cached=60)
    def handle() -> Response:
        calls.append(1)
        return Response(b"abc", 200, {"ETag": '"v1"'})

    with serve(app) as running, running.connect() as client:
        assert client.ask("/a").status == 200
        client.send(b'GET /a HTTP/1.1\r\nHost: t\r\nIf-None-Match: "v1"\r\n\r\n')
        same = client.take()
        client.send(b"GET /a HTTP/1.1\r\nHost: t\r\nRange: bytes=1-1\r\n\r\n")
        part = client.take()

    assert (same.status, same.get("etag")) == (304, '"v1"')
    assert (part.status, part.content) == (206, b"b")
    assert len(calls) == 1


@pytest.mark.parametrize("size", [5_000, 200_000])
def test_a_coded_reply_is_coded_once(size, monkeypatch):
    app = App(compression=Compression(codings=["gzip"]))
    coded = []
    plain = kept_replies.KeptResponse.__init__

    def note(self, original, **options):
        coded.append(original.headers.get("content-encoding"))
        plain(self, original, **options)

    monkeypatch.setattr(KeptResponse, "__init__", note)

    @app.get("/a", cached=60)
    def handle() -> str:
        return "x" * size

    with serve(app) as running, running.connect() as client:
        replies = []
        for accepts in (b"", b"gzip", b"gzip", b"", b"gzip"):
            client.send(b"GET /a HTTP/1.1\r\nHost: t\r\nAccept-Encoding: " + accepts + b"\r\n\r\n")
            replies.append(client.take())

    assert [reply.get("content-encoding") for reply in replies] == [None, "gzip", "gzip", None, "gzip"]
    assert all(reply.get("vary") == "Accept-Encoding" for reply in replies)
    assert gzip.decompress(replies[2].content) == b"x" * size
    assert len(replies[0].content) == size
    assert coded.count("gzip") == 1


def test_what_is_used_stays_when_room_is_needed():
    app, calls = App(), []

    @app.get("/a/{n}", cached=60, run="inline")
    def handle(n: int) -> str:
        calls.append(n)
        return str(n)

    for n in range(3_000):
        get(app, f"/a/{n}")
        get(app, "/a/0")

    assert calls.count(0) == 1
    assert len(KEPT[0]._entries) == 1_024
    assert KEPT[0]._bytes == sum(entry.size for entry in KEPT[0]._entries.values())


def test_octets_are_bounded():
    app = App()

    @app.get("/a/{n}", cached=60, run="inline")
    def handle(n: int) -> bytes:
        return bytes(1_000_000)

    for n in range(40):
        get(app, f"/a/{n}")

    assert KEPT[0]._bytes <= 16 * 1024 * 1024
    assert len(KEPT[0]._entries) == 16


def test_a_dependency_that_refuses_refuses_whoever_it_has_not_let_in(kind):
    app = App()

    def token(x_token: Annotated[str, Header()] = "") -> None:
        if x_token != "right":
            raise HTTPError(401)

    declare(app, lambda: "secret", kind, dependencies=[Depends(token)])

    assert get(app, "/a", headers=(("x-token", "right"),)).status == 200
    assert get(app, "/a").status == 401
    assert get(app, "/a", headers=(("x-token", "wrong"),)).status == 401


KEPT_ONCE = [
    Response(b"octets", 200, {"X-A": "1", "Link": "</a>"}),
    HTMLResponse("<p>"),
    JSONResponse({"a": 1}, 201),
]


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("response", KEPT_ONCE, ids=lambda response: type(response).__name__)
def test_a_response_made_once_is_sent_as_the_same_octets(response, is_kept):
    class Stamp:
        def after(self, request, response):
            response.headers.set("X-Stamp", request.headers["x-number"])

    made = response.keep() if is_kept else response
    app = App()

    @app.get("/bare", run="inline")
    def bare() -> Response:
        return made

    @app.get("/stamped", hooks=[Stamp()])
    async def stamped() -> Response:
        return made

    with serve(app) as running, running.connect() as client:
        octets = set()
        for number in range(4):
            client.send(b"GET /stamped HTTP/1.1\r\nHost: t\r\nX-Number: %d\r\n\r\n" % number)
            assert client.take().get("x-stamp") == str(number)
            reply = client.ask("/bare")
            octets.add(
                (reply.status, tuple(field for field in reply.fields if field[0] != "date"), reply.content)
            )

    assert len(octets) == 1


def test_what_is_kept_does_not_change_with_its_original():
    response = Response(b"x", 200, {"X-A": "1"})
    kept = response.keep()
    response.headers.set("X-A", "2")

    assert kept.copy().headers["X-A"] == "1"
    with pytest.raises(TypeError, match="StreamResponse"):
        StreamResponse([b"x"]).keep()


@pytest.mark.parametrize(
    "scheme", [BearerAuth(tokens=TOKENS), APIKey(header="Authorization"), APIKey(cookie="key")]
)
def test_what_shows_who_asks_is_part_of_the_key_whatever_else_is_named(kind, scheme):
    app = App()

    def who(name: str = Depends(requires("read", of=scheme, granted=lambda _: {"read"}))) -> str:
        return name

    def handle(name: str = Depends(who)) -> str:
        return name

    declare(app, handle, kind, cached_vary=["accept"])

    def ask(token):
        return get(app, "/a", headers=(("authorization", f"Bearer {token}"), ("cookie", f"key={token}")))

    assert ask("token-1").body != ask("token-2").body
    assert ask("token-1").body == ask("token-1").body
    assert get(app, "/a").status == 401


def test_a_reply_of_one_host_is_not_sent_for_another(kind):
    app, router = App(), Router()

    def handle(tenant: str) -> str:
        return tenant

    declare(router, handle, kind)
    app.host("{tenant}.example.org", router)

    def ask(host):
        return answer(app, Request.build("GET", "/a", [("host", host)])).body

    assert [ask("a.example.org"), ask("b.example.org"), ask("a.example.org")] == [b"a", b"b", b"a"]


def test_a_host_a_client_made_up_is_in_nobody_elses_reply(kind):
    app = App()

    def handle(request: Request) -> str:
        return request.host

    declare(app, handle, kind, "/b", cached_vary=["accept"])

    def ask(host):
        return answer(app, Request.build("GET", "/b", [("host", host)])).body

    assert [ask("evil.example"), ask("good.example")] == [b"evil.example", b"good.example"]


@pytest.mark.parametrize("by_hook", [True, False])
def test_what_an_exception_handler_answers_is_kept_for_nobody(kind, by_hook):
    class Unknown(Exception):
        pass

    class Hook:
        def on_error(self, request, error):
            return Response(request.headers["x-name"].encode())

    app = App(hooks=[Hook()] if by_hook else [])

    def who() -> str:
        raise Unknown

    if not by_hook:
        app.exception_handler(Unknown)(lambda request, _: Response(request.headers["x-name"].encode()))

    def handle(name: str = Depends(who)) -> str:
        return name

    declare(app, handle, kind)

    assert [get(app, "/a", headers=(("x-name", name),)).body for name in ("a", "b")] == [b"a", b"b"]


def wait_until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)
